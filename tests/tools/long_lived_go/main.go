// A program that logs in once by the OS_* variables and goes on for long, as kubectl's kic-iam-auth and Terraform's provider
// do by the same library. It says its token and the status of a request to a service, waits to be told to go on, and makes
// that request once more, by whatever gophercloud does when its token is refused.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/gophercloud/gophercloud"
	"github.com/gophercloud/gophercloud/openstack"
	"github.com/gophercloud/gophercloud/openstack/identity/v3/tokens"
)

type said struct {
	Token    string   `json:"token"`
	Status   int      `json:"status"`
	Projects []string `json:"projects"`
}

func main() {
	log.SetFlags(0)
	options, err := openstack.AuthOptionsFromEnv()
	check(err)
	options.AllowReauth = true
	provider, err := openstack.AuthenticatedClient(options)
	check(err)
	// Without a region this is the only one.
	identity, err := openstack.NewIdentityV3(provider, gophercloud.EndpointOpts{Region: os.Getenv("OS_REGION_NAME")})
	check(err)
	user, err := provider.GetAuthResult().(tokens.CreateResult).ExtractUser()
	check(err)
	stdin := bufio.NewScanner(os.Stdin)
	for {
		var body struct {
			Projects []struct{ ID string }
		}
		answer, err := identity.Get(identity.ServiceURL("users", user.ID, "projects"), &body, nil)
		check(err)
		line := said{Token: provider.Token(), Status: answer.StatusCode}
		for _, project := range body.Projects {
			line.Projects = append(line.Projects, project.ID)
		}
		text, err := json.Marshal(line)
		check(err)
		fmt.Println(string(text))
		if !stdin.Scan() {
			return
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
