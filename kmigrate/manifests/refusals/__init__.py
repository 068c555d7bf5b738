"""What Strimzi's operator would refuse only later, refused before anything is applied (`strimzi.md` §§1.5, 2). Pure.

Its schemas know little: names that stand twice, copies without brokers, settings that are its own, all come out as
NotReady, or are left out in silence.
"""

from kmigrate.manifests.refusals.rules import RULES, Refusal, refusals

__all__ = ["RULES", "Refusal", "refusals"]
