"""What an operator changes: settings, lanes, the policy, the classifier prompt, log set-up."""
