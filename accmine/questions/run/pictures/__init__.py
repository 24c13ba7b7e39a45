"""What the figures of a report show: records, how they are collected, and the figures themselves."""
