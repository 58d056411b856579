"""What a recurrent network remembers, whether its gradients get there, and what to do."""

from elman.doctor.examination import Examination, examine
from elman.doctor.inspection import Inspection, Trace, inspect
from elman.doctor.verdict import Verdict

__all__ = ["Examination", "Inspection", "Trace", "Verdict", "examine", "inspect"]
