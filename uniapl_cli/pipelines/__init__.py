"""What happens before and after training: teach, filter, evaluate."""
