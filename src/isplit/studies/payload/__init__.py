"""What the features weigh, coded without retraining: Carra & Neglia 2023, and what it lacks."""
