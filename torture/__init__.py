"""What soundspot must survive: a corpus of bad media, kills at random moments, and what else is done on purpose."""
