package main

import (
	"errors"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"testbed/cluster/plane"
)

// The hub is the network of control plane and command. A bridge there connects the machines; pods have routes to all,
// and no packet goes further.
const (
	bridgeName = "machines"
	hubAddress = "172.30.0.1"
	hubBits    = "/24"
	podRange   = "10.244.0.0/16"
)

// makeHub makes the hub in the present network namespace.
func makeHub() error {
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridgeName}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return err
	}
	if err := setUp("lo", ""); err != nil {
		return err
	}
	if err := setUp(bridgeName, hubAddress); err != nil {
		return err
	}
	for _, m := range machines {
		if err := addRoute(m.PodRange, m.Address); err != nil {
			return err
		}
	}
	// Services exist on machines only; kube-proxy sends the answers back this way.
	if err := addRoute(plane.ServiceRange, machines[0].Address); err != nil {
		return err
	}
	return forward()
}

// connect connects the machine, whose network namespace is the present one, with the hub's.
func (m machine) connect() error {
	hubNamespace, err := netns.GetFromPid(1)
	if err != nil {
		return err
	}
	defer hubNamespace.Close()
	cable := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: "eth0"},
		PeerName:      m.Name,
		PeerNamespace: netlink.NsFd(hubNamespace),
	}
	if err := netlink.LinkAdd(cable); err != nil {
		return err
	}
	if err := plugIn(hubNamespace, m.Name); err != nil {
		return err
	}
	return errors.Join(setUp("lo", ""), setUp("eth0", m.Address), m.addRoutes(), forward())
}

// plugIn connects a cable's end with the hub's bridge.
func plugIn(hubNamespace netns.NsHandle, name string) error {
	hub, err := netlink.NewHandleAt(hubNamespace)
	if err != nil {
		return err
	}
	defer hub.Close()
	end, err := hub.LinkByName(name)
	if err != nil {
		return err
	}
	bridge, err := hub.LinkByName(bridgeName)
	if err != nil {
		return err
	}
	return errors.Join(hub.LinkSetMaster(end, bridge), hub.LinkSetUp(end))
}

func (m machine) addRoutes() error {
	for _, other := range machines {
		if other != m {
			if err := addRoute(other.PodRange, other.Address); err != nil {
				return err
			}
		}
	}
	return addRoute("0.0.0.0/0", hubAddress)
}

// setUp sets a link up, and gives it an address unless that is empty.
func setUp(name, address string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if address != "" {
		parsed, err := netlink.ParseAddr(address + hubBits)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, parsed); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(link)
}

func addRoute(to, via string) error {
	_, destination, err := net.ParseCIDR(to)
	if err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{Dst: destination, Gw: net.ParseIP(via)})
}

func forward() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) }
