// What an application does with Infisical's Go SDK; prints what came of it as JSON.
package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	infisical "github.com/infisical/go-sdk"
)

func outcome(err error) string {
	if err != nil {
		return err.Error()
	}
	return "done"
}

func open(refresh bool) infisical.InfisicalClientInterface {
	return infisical.NewInfisicalClient(context.Background(), infisical.Config{
		SiteUrl:          os.Getenv("SITE_URL"),
		AutoTokenRefresh: refresh,
		SilentMode:       true,
	})
}

func read(client infisical.InfisicalClientInterface) string {
	_, err := client.Secrets().List(infisical.ListSecretsOptions{
		ProjectID: "shop", Environment: "prod", SecretPath: "/api",
	})
	return outcome(err)
}

func main() {
	id, jwt := os.Getenv("CLIENT_ID"), os.Getenv("JWT")
	client, wrong := open(true), open(false)
	login, err := client.Auth().UniversalAuthLogin(id, os.Getenv("CLIENT_SECRET"))
	if err != nil {
		panic(err)
	}
	_, wrongErr := wrong.Auth().UniversalAuthLogin(id, "wrong")
	refused := read(client)
	// The tokens of this server live for a few seconds: the SDK renews by itself.
	time.Sleep(6 * time.Second)
	renewed := read(client)
	revoked := outcome(client.Auth().RevokeAccessToken())
	_, jwtErr := open(false).Auth().JwtAuthLogin("deploy", jwt)
	_, oidcErr := open(false).Auth().OidcAuthLogin("deploy", jwt)
	_, podErr := open(false).Auth().KubernetesRawServiceAccountTokenLogin("deploy", jwt)
	client.Auth().SetAccessToken(login.AccessToken)
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"accessToken": login.AccessToken, "expiresIn": login.ExpiresIn, "wrongSecret": outcome(wrongErr),
		"read": refused, "readAfterRenewal": renewed, "revoke": revoked, "readAfterRevocation": read(client),
		"jwt": outcome(jwtErr), "oidc": outcome(oidcErr), "kubernetes": outcome(podErr),
	})
}
