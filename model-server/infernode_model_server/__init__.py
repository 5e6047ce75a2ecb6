"""InferNode's model server: correspondence-based visual servoing behind the CNS contract.

`servo` and `cns` hold the mathematics and can be imported without the web server: `servo.sequence.ServoSequence` is the
way in. `media` reads videos, `report` writes archives, `jobs` runs jobs in processes of their own, `web` speaks HTTP.
"""

__version__ = "1.0.0"
