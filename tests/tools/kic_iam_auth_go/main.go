// What kubectl's plugin for KakaoCloud does, as far as is known: it logs in by the OS_* variables with gophercloud, and says the
// token as kubectl wants it. It stands in for kic-iam-auth, which cannot be had here.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/gophercloud/gophercloud/openstack"
	"github.com/gophercloud/gophercloud/openstack/identity/v3/tokens"
)

func main() {
	log.SetFlags(0)
	if os.Getenv("OS_AUTH_TYPE") != "v3applicationcredential" {
		log.Fatal("OS_AUTH_TYPE is another one")
	}
	options, err := openstack.AuthOptionsFromEnv()
	check(err)
	provider, err := openstack.AuthenticatedClient(options)
	check(err)
	token, err := provider.GetAuthResult().(tokens.CreateResult).ExtractToken()
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"apiVersion": "client.authentication.k8s.io/v1beta1",
		"kind":       "ExecCredential",
		"status":     map[string]any{"token": token.ID, "expirationTimestamp": token.ExpiresAt},
	}))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
