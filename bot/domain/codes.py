"""The closed set of reason codes. Each stands in one table of `bot.domain.messages` with its sentence and next step.

A code is a promise to scripts and to the documentation: it may be added, never renamed. A test holds code, table,
documentation and use together.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Why Miso did, did not, or could not do something."""

    # identity: who is this repository, and does the GUID belong to it?
    GUID_MISSING = "guid_missing"
    GUID_MALFORMED = "guid_malformed"
    GUID_NOT_BOUND = "guid_not_bound"
    GUID_OTHER_ENVIRONMENT = "guid_other_environment"
    SUBSCRIPTION_MISMATCH = "subscription_mismatch"
    REPOSITORY_TRANSFERRED = "repository_transferred"
    REPOSITORY_NOT_REGISTERED = "repository_not_registered"
    INSTALLATION_MISMATCH = "installation_mismatch"
    ENVIRONMENT_UNKNOWN = "environment_unknown"
    ENVIRONMENT_LOOKALIKE = "environment_lookalike"
    CONFIG_INVALID = "config_invalid"
    CONFIG_MISSING = "config_missing"

    # the release
    IMAGE_NOT_FOUND = "image_not_found"
    IMAGE_HOST_NOT_ALLOWED = "image_host_not_allowed"
    MOVING_TAG = "moving_tag"
    ARTIFACT_MOVED = "artifact_moved"
    ARTIFACT_GONE = "artifact_gone"
    RELEASE_UNKNOWN = "release_unknown"
    RELEASE_HELD = "release_held"
    NOT_VERIFIED_BEFORE = "not_verified_before"
    OLDER_COMMIT = "older_commit"
    ANCESTRY_UNKNOWN = "ancestry_unknown"
    ALREADY_RUNNING = "already_running"
    SAME_IMAGE_OTHER_PLAN = "same_image_other_plan"
    ALREADY_REQUESTED = "already_requested"
    SUPERSEDED = "superseded"

    # what the policy of an environment demands
    IMAGE_SOURCE_REFUSED = "image_source_refused"
    BRANCH_NOT_ALLOWED = "branch_not_allowed"
    CHECK_MISSING = "check_missing"
    CHECK_FAILED = "check_failed"
    CHECKS_UNKNOWN = "checks_unknown"
    SOAK_NOT_OVER = "soak_not_over"
    CAPACITY_TOO_SMALL = "capacity_too_small"
    CAPACITY_UNKNOWN = "capacity_unknown"
    PROBE_TOO_WEAK = "probe_too_weak"
    FROZEN = "frozen"
    LOCKED = "locked"
    RELEASE_REJECTED = "release_rejected"
    NOT_YOUR_TURN = "not_your_turn"
    CONFIG_LOOSER = "config_looser"

    # the command and the person
    COMMAND_UNKNOWN = "command_unknown"
    COMMAND_ARGUMENTS = "command_arguments"
    COMMAND_TWICE = "command_twice"
    COMMAND_NOT_ASCII = "command_not_ascii"
    STAGE_UNKNOWN = "stage_unknown"
    COMMAND_LIMIT = "command_limit"
    EDITED_COMMENT = "edited_comment"
    NOT_MERGED = "not_merged"
    FORK_REFUSED = "fork_refused"
    SHA_MALFORMED = "sha_malformed"
    SHA_AMBIGUOUS = "sha_ambiguous"
    PERMISSION_DENIED = "permission_denied"
    PERMISSION_UNKNOWN = "permission_unknown"
    BOT_REFUSED = "bot_refused"
    NOT_IN_TEAM = "not_in_team"
    TEAM_UNKNOWN = "team_unknown"
    DURATION_MALFORMED = "duration_malformed"
    FLAG_UNKNOWN = "flag_unknown"
    NOT_ADMINISTRATOR = "not_administrator"
    NOT_YOURS = "not_yours"
    CARD_OUT_OF_DATE = "card_out_of_date"

    # approval
    NEEDS_APPROVAL = "needs_approval"
    AUTHOR_IS_APPROVER = "author_is_approver"
    UNKNOWN_AUTHOR = "unknown_author"
    ALREADY_APPROVED = "already_approved"
    NOTHING_TO_APPROVE = "nothing_to_approve"
    NOTHING_TO_REJECT = "nothing_to_reject"
    APPROVAL_EXPIRED = "approval_expired"
    PLAN_CHANGED = "plan_changed"
    POLICY_CHANGED = "policy_changed"
    CHECKS_CHANGED = "checks_changed"
    COMMITS_CHANGED = "commits_changed"
    SOAK_CHANGED = "soak_changed"
    SKIPPED_CHANGED = "skipped_changed"
    QUORUM_MISSING = "quorum_missing"
    APPROVAL_REVOKED = "approval_revoked"
    OTHER_RELEASE_WAITS = "other_release_waits"
    NOTHING_TO_REVOKE = "nothing_to_revoke"
    NOTHING_TO_CANCEL = "nothing_to_cancel"
    WAIT_EXPIRED = "wait_expired"
    BREAK_GLASS_OFF = "break_glass_off"
    BREAK_GLASS_EXPIRED = "break_glass_expired"

    # rollback and holds
    NOTHING_TO_ROLL_BACK_TO = "nothing_to_roll_back_to"
    ROLLBACK_TARGET_NOT_VERIFIED = "rollback_target_not_verified"
    NOT_HELD = "not_held"
    CLEAR_NEEDS_SECOND = "clear_needs_second"
    ALREADY_LOCKED = "already_locked"
    NOT_LOCKED = "not_locked"
    REASON_MISSING = "reason_missing"

    # Azure
    AZURE_FEDERATION = "azure_federation"
    AZURE_FORBIDDEN = "azure_forbidden"
    AZURE_QUOTA = "azure_quota"
    AZURE_CONFLICT = "azure_conflict"
    AZURE_THROTTLED = "azure_throttled"
    AZURE_UNAVAILABLE = "azure_unavailable"
    AZURE_TIMEOUT = "azure_timeout"
    AZURE_IMAGE_PULL = "azure_image_pull"
    AZURE_REFUSED = "azure_refused"
    AZURE_MISSING = "azure_missing"
    NOT_OURS = "not_ours"
    DIGEST_MISMATCH = "digest_mismatch"
    OUTCOME_UNKNOWN = "outcome_unknown"

    # health
    PROBE_UNHEALTHY = "probe_unhealthy"
    PROBE_UNKNOWN = "probe_unknown"
    PLATFORM_UNHEALTHY = "platform_unhealthy"

    # GitHub
    GITHUB_UNAVAILABLE = "github_unavailable"
    GITHUB_THROTTLED = "github_throttled"
    GITHUB_FORBIDDEN = "github_forbidden"
    GITHUB_REFUSED = "github_refused"
    DEPLOYMENT_SHA_MISMATCH = "deployment_sha_mismatch"
    OUT_OF_BAND = "out_of_band"
    GATE_NO_DECISION = "gate_no_decision"
    GATE_EXPIRED = "gate_expired"
    GATE_APPROVED = "gate_approved"
    GATE_REJECTED = "gate_rejected"

    # registries
    REGISTRY_UNAVAILABLE = "registry_unavailable"
    REGISTRY_REFUSED = "registry_refused"

    # the policy itself
    NO_RULES = "no_rules"
    STATE_UNKNOWN = "state_unknown"
    POLICY_NOT_PROPOSED = "policy_not_proposed"
    POLICY_WAITS = "policy_waits"
    DRIFTED = "drifted"

    # what the lint finds in a policy before anybody runs into it
    NOBODY_CAN_APPROVE = "nobody_can_approve"
    ONLY_REQUESTER_APPROVES = "only_requester_approves"
    NOBODY_CAN_REQUEST = "nobody_can_request"
    STAGE_UNREACHABLE = "stage_unreachable"
    ALWAYS_FROZEN = "always_frozen"
    NO_ADMINISTRATORS = "no_administrators"

    # tokens of workflows
    GRANT_UNSUPPORTED = "grant_unsupported"
    REQUEST_MALFORMED = "request_malformed"
    RESOURCE_REFUSED = "resource_refused"
    AUDIENCE_REFUSED = "audience_refused"
    TOKEN_MALFORMED = "token_malformed"  # noqa: S105 - the name of a reason
    TOKEN_ALGORITHM = "token_algorithm"  # noqa: S105 - the name of a reason
    TOKEN_HEADER = "token_header"  # noqa: S105 - the name of a reason
    TOKEN_KEY_UNKNOWN = "token_key_unknown"  # noqa: S105 - the name of a reason
    TOKEN_SIGNATURE = "token_signature"  # noqa: S105 - the name of a reason
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - the name of a reason
    TOKEN_NOT_YET = "token_not_yet"  # noqa: S105 - the name of a reason
    TOKEN_LIFE = "token_life"  # noqa: S105 - the name of a reason
    TOKEN_CLAIM_MISSING = "token_claim_missing"  # noqa: S105 - the name of a reason
    TOKEN_REPLAYED = "token_replayed"  # noqa: S105 - the name of a reason
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - the name of a reason
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - the name of a reason
    TOKEN_SCOPE = "token_scope"  # noqa: S105 - the name of a reason
    ISSUER_REFUSED = "issuer_refused"
    ISSUER_UNAVAILABLE = "issuer_unavailable"
    TRUST_NO_RULE = "trust_no_rule"
    TRUST_REPOSITORY = "trust_repository"
    TRUST_OWNER = "trust_owner"
    TRUST_ENVIRONMENT = "trust_environment"
    TRUST_ENVIRONMENT_MISSING = "trust_environment_missing"
    TRUST_EVENT = "trust_event"
    TRUST_REF = "trust_ref"
    TRUST_WORKFLOW = "trust_workflow"
    TRUST_RUNNER = "trust_runner"
    TRUST_COMMIT = "trust_commit"
    TRUST_RUN = "trust_run"
    TRUST_ATTEMPT = "trust_attempt"
    TRUST_PROJECT = "trust_project"
    NO_DECISION = "no_decision"
    ASSERTION_REFUSED = "assertion_refused"

    # signing in, and who somebody is
    NOT_SIGNED_IN = "not_signed_in"
    NOT_LINKED = "not_linked"
    ROLE_MISSING = "role_missing"
    DOOR_REFUSED = "door_refused"
    DEVICE_MAY_NOT_APPROVE = "device_may_not_approve"
    ROLES_TOO_OLD = "roles_too_old"
    GROUPS_OVERAGE = "groups_overage"
    SIGN_IN_OFF = "sign_in_off"
    SIGN_IN_STATE = "sign_in_state"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_IN_TENANT = "sign_in_tenant"
    SIGN_IN_UNAVAILABLE = "sign_in_unavailable"
    SESSION_ENDED = "session_ended"
    CSRF_REFUSED = "csrf_refused"
    LINK_CODE = "link_code"
    LINK_TAKEN = "link_taken"
    AUTHORIZATION_PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    DEVICE_CODE = "device_code"
    DEVICE_DENIED = "device_denied"
    REFRESH_REFUSED = "refresh_refused"
    REFRESH_REUSED = "refresh_reused"
    TOO_MANY_REQUESTS = "too_many_requests"
    NOT_FOUND = "not_found"
    HOST_REFUSED = "host_refused"
    REQUEST_TOO_LARGE = "request_too_large"
    REQUEST_TOO_SLOW = "request_too_slow"
    UNEXPECTED = "unexpected"

    # keys
    KEY_VAULT_UNAVAILABLE = "key_vault_unavailable"
    KEY_VAULT_FORBIDDEN = "key_vault_forbidden"

    # intake: judged by the worker, shown by `miso deliveries`
    BODY_NOT_JSON = "body_not_json"
    BODY_TOO_DEEP = "body_too_deep"
    BODY_DUPLICATE_KEYS = "body_duplicate_keys"
    EVENT_SHAPE = "event_shape"
    BODY_SEALED = "body_sealed"
    BODY_ERASED = "body_erased"
    APP_MISMATCH = "app_mismatch"
    HANDLER_FAILED = "handler_failed"
    STORE_UNAVAILABLE = "store_unavailable"
