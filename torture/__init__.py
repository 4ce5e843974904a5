"""What the program is put through: bad files, kills, mutants."""
