// Command gitops says how Argo CD, Flux and kstatus judge the health of objects: with the Lua machine of Argo CD and its libraries, and
// with Flux' own evaluator of health check expressions.
//
//	gitops LUA FLUX <OBJECTS
//
// reads objects as JSON from standard input and writes one line of JSON for each.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// verdict is what each of them says of one object.
type verdict struct {
	Argo    string `json:"argo"`
	Message string `json:"message"`
	Flux    string `json:"flux"`
	Kstatus string `json:"kstatus"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gitops LUA FLUX <OBJECTS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gitops:", err)
		os.Exit(1)
	}
}

func run(luaFile, fluxFile string, in io.Reader, out io.Writer) error {
	script, err := os.ReadFile(luaFile)
	if err != nil {
		return err
	}
	checks, err := readChecks(fluxFile)
	if err != nil {
		return err
	}
	objects, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var object unstructured.Unstructured
		if err := objects.Decode(&object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		judged, err := judge(string(script), checks, &object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		if err := answers.Encode(judged); err != nil {
			return err
		}
	}
}

func judge(script string, checks fluxChecks, object *unstructured.Unstructured) (*verdict, error) {
	argo, message, err := argoHealth(script, object.Object)
	if err != nil {
		return nil, err
	}
	flux, err := checks.health(context.Background(), object)
	if err != nil {
		return nil, err
	}
	generic, err := status.Compute(object)
	if err != nil {
		return nil, err
	}
	return &verdict{Argo: argo, Message: message, Flux: flux, Kstatus: string(generic.Status)}, nil
}
