"""Generation by vLLM servers that are kept in step with the policy."""
