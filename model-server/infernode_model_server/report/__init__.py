"""What a job leaves behind: a ZIP of tables, a plot and pictures."""
