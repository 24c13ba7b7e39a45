"""Reports: what a run found as text, HTML, Gantt chart and Perfetto trace."""
