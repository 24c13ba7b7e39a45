"""The loop over the true loss of a network: ask it, correct the losses, solve again."""

from accmine.questions.sparse.truth.digits import digits_problem
from accmine.questions.sparse.truth.evaluation import EvaluationError
from accmine.questions.sparse.truth.loop import Settings, true_loss_loop
from accmine.questions.sparse.truth.rounds import End, Outcome, Round

__all__ = ["End", "EvaluationError", "Outcome", "Round", "Settings", "digits_problem", "true_loss_loop"]
