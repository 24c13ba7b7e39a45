"""What must hold: variables, constraints and objective of a problem, one file per problem and engine."""
