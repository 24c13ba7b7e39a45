"""From a plan to designs with a bound."""
