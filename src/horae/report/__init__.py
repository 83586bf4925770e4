"""What is written down about a run, and how it is shown. Tables and pictures read the log and nothing else."""
