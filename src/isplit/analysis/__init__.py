"""What many runs say together: which ranking agrees with the accuracy that was measured."""
