"""Encoded data sets on disk: an entry holds a data set's rows and their token ids, mapped.

`cache` is the folder of entries, `depends` what the name of one is made of, `arrow` the files of
rows and of ids, `report` what reading and encoding said, `ways` how a data set comes to be read.
"""
