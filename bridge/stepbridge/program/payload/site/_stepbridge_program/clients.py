"""Every botocore client of this process talks to the local endpoint, whichever endpoint the program names.

SDK v2 and v3 give some clients an explicit regional endpoint (STS), so `AWS_ENDPOINT_URL` alone does not do:
the call that makes clients is wrapped. Never imports botocore itself.
"""

from .imports import after_import
from .patches import replace


class Target:
    """Where clients go. services: only these are redirected; empty: all of them."""

    def __init__(self, endpoint, access_key, secret_key, services=()):
        self.endpoint = endpoint
        self.access_key = access_key
        self.secret_key = secret_key
        self.services = frozenset(services)

    def takes(self, service):
        return not self.services or service in self.services


def redirect(target, before_start):
    """Redirect all clients; `before_start()` is called before a request that makes the service run code."""
    after_import("botocore.session", lambda module: _wrap_session(module.Session, target, before_start))


def _wrap_session(session_class, target, before_start):
    create_client = session_class.create_client
    scoped_config = session_class.get_scoped_config

    def create_local_client(
        self, service_name, region_name=None, api_version=None, use_ssl=True, verify=None, *rest, **named
    ):
        if not target.takes(service_name):
            return create_client(
                self, service_name, region_name, api_version, use_ssl, verify, *rest, **named
            )
        # the rest by position: endpoint_url, access key, secret key, session token, config
        config = rest[4] if len(rest) > 4 else named.pop("config", None)
        for name in ("endpoint_url", "aws_access_key_id", "aws_secret_access_key", "aws_session_token"):
            named.pop(name, None)
        client = create_client(
            self,
            service_name,
            region_name,
            api_version,
            use_ssl,
            endpoint_url=target.endpoint,
            aws_access_key_id=target.access_key,
            aws_secret_access_key=target.secret_key,
            config=_local_config(service_name, config),
            **named,
        )
        if service_name == "sagemaker":
            client.meta.events.register("before-call.sagemaker", announce_start)
        return client

    def announce_start(model, **named):
        if model.name.startswith(("Start", "Retry")) or model.name.endswith(("Job", "Endpoint")):
            before_start()

    def tolerant_scoped_config(self):
        """A profile that the program names need not exist on this machine."""
        from botocore.exceptions import ProfileNotFound

        try:
            return scoped_config(self)
        except ProfileNotFound:
            return {}

    replace(session_class, "create_client", create_local_client)
    if not target.services:
        replace(session_class, "get_scoped_config", tolerant_scoped_config)


def _local_config(service, config):
    """The client's configuration, made fit for a plain HTTP endpoint on loopback."""
    from botocore.config import Config

    options = {
        "signature_version": None,  # public buckets are read unsigned; our endpoint wants its key
        "retries": {"total_max_attempts": 2, "mode": "standard"},
        "connect_timeout": 10,
        "proxies": {},
        "inject_host_prefix": False,
        "endpoint_discovery_enabled": False,
        "use_dualstack_endpoint": False,
        "use_fips_endpoint": False,
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "ignore_configured_endpoint_urls": True,
    }
    if service == "s3":
        given = getattr(config, "s3", None) or {}
        kept = {name: value for name, value in given.items() if name not in _S3_OPTIONS_OF_THE_CLOUD}
        options["s3"] = dict(kept, addressing_style="path")
    if service == "sagemaker-runtime":
        options["read_timeout"] = None  # the model may stand at a breakpoint
    known = getattr(Config, "OPTION_DEFAULTS", {})  # an older botocore knows fewer options
    local = Config(**{name: value for name, value in options.items() if name in known})
    return config.merge(local) if config is not None else local


_S3_OPTIONS_OF_THE_CLOUD = (
    "addressing_style",
    "use_accelerate_endpoint",
    "use_dualstack_endpoint",
    "use_arn_region",
    "us_east_1_regional_endpoint",
)
