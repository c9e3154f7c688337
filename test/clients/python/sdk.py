"""What an application does with Infisical's Python SDK; prints what came of it as JSON."""

import json
import os

from infisical_sdk import InfisicalSDKClient


def outcome(act):
    try:
        act()
        return "done"
    except Exception as error:  # The SDK's errors carry the server's words.
        return str(error)


client = InfisicalSDKClient(host=os.environ["SITE_URL"], cache_ttl=None)
login = client.auth.universal_auth.login(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
wrong = InfisicalSDKClient(host=os.environ["SITE_URL"], cache_ttl=None)
workload = InfisicalSDKClient(host=os.environ["SITE_URL"], cache_ttl=None)
read = {"project_id": "shop", "environment_slug": "prod", "secret_path": "/api"}
print(
    json.dumps(
        {
            "accessToken": login.access_token if hasattr(login, "access_token") else login.accessToken,
            "expiresIn": login.expires_in if hasattr(login, "expires_in") else login.expiresIn,
            "wrongSecret": outcome(
                lambda: wrong.auth.universal_auth.login(os.environ["CLIENT_ID"], "wrong")
            ),
            "jwt": outcome(lambda: workload.auth.oidc_auth.login("deploy", os.environ["JWT"])),
            "read": outcome(lambda: client.secrets.list_secrets(**read)),
            "readByWorkload": outcome(lambda: workload.secrets.list_secrets(**read)),
        }
    )
)
