"""Training the baseline, the bottleneck and the split model, each once, kept in a store."""

from isplit.stages.fit import Engine as Engine
from isplit.stages.preemption import PREEMPTED as PREEMPTED
from isplit.stages.preemption import Preempted as Preempted
from isplit.stages.preemption import preemptible as preemptible
from isplit.stages.recipe import FineTuning as FineTuning
from isplit.stages.recipe import Recipe as Recipe
from isplit.stages.runner import autoencoder as autoencoder
from isplit.stages.runner import baseline as baseline
from isplit.stages.runner import finetune as finetune
from isplit.stages.runner import tested as tested
from isplit.stages.seeds import derived_seed as derived_seed
from isplit.stages.seeds import seeded as seeded
from isplit.stages.sending import Sending as Sending
from isplit.stages.sending import affordable as affordable
from isplit.stages.sending import coded as coded
from isplit.stages.source import source_hash as source_hash
from isplit.stages.store import Store as Store
from isplit.stages.stored import Made as Made
from isplit.stages.stored import Stored as Stored
from isplit.stages.stored import fingerprint as fingerprint
from isplit.stages.team import CHATTY as CHATTY
from isplit.stages.team import Team as Team
from isplit.stages.team import teamed as teamed
from isplit.stages.workbench import Workbench as Workbench
