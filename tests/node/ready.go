package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	core "k8s.io/api/core/v1"

	"testbed/cluster/plane"
	"testbed/cluster/process"
)

const readyLimit = 3 * time.Minute // 5 s on an idle machine

// awaitReady waits until pods can run on every node, reach Services and look names up.
func awaitReady(p *plane.Plane, group *process.Group, signals <-chan os.Signal) error {
	for _, m := range machines {
		if err := group.Await(m.Name+" is Ready", readyLimit, signals, func() bool { return nodeReady(p, m) }); err != nil {
			return err
		}
		if err := group.Await(m.Name+" has Services", readyLimit, signals, func() bool { return proxyReady(m) }); err != nil {
			return err
		}
	}
	return group.Await("DNS answers", readyLimit, signals, dnsReady)
}

func nodeReady(p *plane.Plane, m machine) bool {
	answer, err := p.Get("/api/v1/nodes/" + m.Name)
	var node core.Node
	if err != nil || json.Unmarshal(answer, &node) != nil {
		return false
	}
	// A taint that goes away only after the condition would keep pods off.
	return len(node.Spec.Taints) == 0 && slices.ContainsFunc(node.Status.Conditions, func(c core.NodeCondition) bool {
		return c.Type == core.NodeReady && c.Status == core.ConditionTrue
	})
}

// proxyReady asks kube-proxy, which says so once its rules are in place.
func proxyReady(m machine) bool {
	client := http.Client{Timeout: time.Second}
	response, err := client.Get("http://" + net.JoinHostPort(m.Address, "10256") + "/healthz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func dnsReady() bool {
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(hubAddress, "53"))
	}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
	return err == nil
}
