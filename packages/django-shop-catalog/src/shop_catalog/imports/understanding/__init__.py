"""What the columns of a table hold, and how their numbers and dates are written."""
