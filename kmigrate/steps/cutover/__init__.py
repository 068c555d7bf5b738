"""A move: the same steps for a cutover and for a way back, the sides exchanged. One module per step."""

from kmigrate.steps.cutover.carry_positions import CarryPositions
from kmigrate.steps.cutover.drain_mirror import DrainMirror
from kmigrate.steps.cutover.fence_clients import FenceClients
from kmigrate.steps.cutover.hand_over import HandOverTopics
from kmigrate.steps.cutover.lift_fence import LiftFence
from kmigrate.steps.cutover.ready import Ready
from kmigrate.steps.cutover.soak import Soak
from kmigrate.steps.cutover.start_workloads import StartWorkloads
from kmigrate.steps.cutover.stop_workloads import StopWorkloads
from kmigrate.steps.cutover.switch_settings import SwitchSettings
from kmigrate.steps.cutover.turn_mirror import TurnMirror

__all__ = [
    "CarryPositions",
    "DrainMirror",
    "FenceClients",
    "HandOverTopics",
    "LiftFence",
    "Ready",
    "Soak",
    "StartWorkloads",
    "StopWorkloads",
    "SwitchSettings",
    "TurnMirror",
]
