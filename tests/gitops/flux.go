package main

import (
	"context"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// fluxChecks are the expressions of a Kustomization, by version and kind.
type fluxChecks map[string]*cel.StatusEvaluator

// readChecks reads them from a Kustomization.
func readChecks(file string) (fluxChecks, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var kustomization struct {
		Spec struct {
			HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(content, &kustomization); err != nil {
		return nil, err
	}
	checks := fluxChecks{}
	for _, check := range kustomization.Spec.HealthCheckExprs {
		evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", check.Kind, err)
		}
		checks[check.APIVersion+"/"+check.Kind] = evaluator
	}
	return checks, nil
}

func (c fluxChecks) health(ctx context.Context, object *unstructured.Unstructured) (string, error) {
	evaluator, ok := c[object.GetAPIVersion()+"/"+object.GetKind()]
	if !ok {
		return "", fmt.Errorf("there is no expression for this kind")
	}
	result, err := evaluator.Evaluate(ctx, object)
	if err != nil {
		// An expression about a field that is not there yet; Flux goes on waiting.
		return string(status.UnknownStatus), nil
	}
	return string(result.Status), nil
}
