"""Placement policies, one file each, by short name, entry point or `module:Class`."""

from collections.abc import Mapping

from scheduler.placement import Policy
from scheduler.plugins import load

SHORT_NAMES = {
    "local_only": "scheduler.policies.local_only:LocalOnly",
    "always_offload": "scheduler.policies.always_offload:AlwaysOffload",
    "best_snr": "scheduler.policies.best_snr:BestSnr",
    "static_threshold": "scheduler.policies.static_threshold:StaticThreshold",
    "ewma_latency": "scheduler.policies.ewma_latency:EwmaLatency",
    "mu_linucb": "scheduler.policies.mu_linucb:MuLinUcb",
    "deadline": "scheduler.policies.deadline:Deadline",
}


def load_policy(name: str, options: Mapping[str, object]) -> Policy:
    """Build a policy from its name in the YAML.

    Raises:
        ConfigError: no such policy, or options that it refuses.
    """
    policy: Policy = load("policy", "vdap.policies", SHORT_NAMES, name, options)
    return policy
