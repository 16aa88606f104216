//go:build oracle

// Put beside the files of k8s.io/kubernetes/pkg/proxy/nftables, tests included (hack/rules-oracle does so), this asks
// kube-proxy itself: random clusters in, the nftables rules that it makes for them into upstream's fake, packets through
// upstream's tracer, what becomes of them out. Read and written are JSON, a line a cluster.
package nftables

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
	corev1 "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/proxy"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
	netutils "k8s.io/utils/net"
	"sigs.k8s.io/knftables"
)

type oraclePacket struct {
	Family, Source, Protocol, Destination string
	Port                                  int
}

type oracleCluster struct {
	Services       []v1.Service
	EndpointSlices []discovery.EndpointSlice
	NodeName       string
	NodeLabels     map[string]string
	// By family; pod CIDRs and ServiceCIDRs may be missing.
	NodeIPs, PodCIDRs, ServiceCIDRs map[v1.IPFamily]string
	MasqueradeAll                   bool
	Packets                         []oraclePacket
}

type oracleFate struct {
	// Endpoints joined by ", ", REJECT, DROP, or empty when the packet is left alone.
	Output     string
	Masquerade bool
}

// What cmd/kube-proxy asks the API server for.
var notProxiedElsewhere, notHeadless = mustSelect("!service.kubernetes.io/service-proxy-name"), mustSelect("!service.kubernetes.io/headless")

func mustSelect(text string) labels.Selector {
	selector, err := labels.Parse(text)
	if err != nil {
		panic(err)
	}
	return selector
}

func (c *oracleCluster) rules(family v1.IPFamily) *knftables.Fake {
	nft, p := NewFakeProxier(family)
	p.nodeName = c.NodeName
	p.endpointsChanges = proxy.NewEndpointsChangeTracker(family, c.NodeName, newEndpointInfo, nil)
	p.nodeIP = netutils.ParseIPSloppy(c.NodeIPs[family])
	p.nodePortAddresses = proxyutil.NewNodePortAddresses(family, []string{c.NodeIPs[v1.IPv4Protocol] + "/32", c.NodeIPs[v1.IPv6Protocol] + "/128"})
	p.masqueradeAll = c.MasqueradeAll
	p.serviceCIDRs = c.ServiceCIDRs[family]
	p.localDetector = proxyutil.NewNoOpLocalDetector()
	if cidr := c.PodCIDRs[family]; cidr != "" {
		p.localDetector = proxyutil.NewDetectLocalByCIDR(cidr)
	}
	p.topologyLabels = c.NodeLabels
	fake := p.networkInterfacer.(interface {
		AddInterfaceAddr(*net.Interface, []net.Addr)
	})
	fake.AddInterfaceAddr(&net.Interface{Index: 2, Name: "eth1"}, []net.Addr{
		&net.IPNet{IP: netutils.ParseIPSloppy(c.NodeIPs[v1.IPv4Protocol]), Mask: net.CIDRMask(24, 32)},
		&net.IPNet{IP: netutils.ParseIPSloppy(c.NodeIPs[v1.IPv6Protocol]), Mask: net.CIDRMask(64, 128)},
	})

	for i := range c.Services {
		service := c.Services[i].DeepCopy()
		corev1.SetObjectDefaults_Service(service)
		if service.Spec.ClusterIP != v1.ClusterIPNone && notProxiedElsewhere.Matches(labels.Set(service.Labels)) {
			p.OnServiceAdd(service)
		}
	}
	for i := range c.EndpointSlices {
		slice := c.EndpointSlices[i].DeepCopy()
		for j := range slice.Ports {
			if slice.Ports[j].Protocol == nil {
				tcp := v1.ProtocolTCP
				slice.Ports[j].Protocol = &tcp
			}
		}
		if notHeadless.Matches(labels.Set(slice.Labels)) {
			p.OnEndpointSliceAdd(slice)
		}
	}
	p.syncProxyRules()
	withoutAffinity(nft)
	return nft
}

// The tracer does not know the rules for clients that have been here before.
func withoutAffinity(nft *knftables.Fake) {
	for _, chain := range nft.Table.Chains {
		rules := chain.Rules
		chain.Rules = nil
		for _, rule := range rules {
			if !strings.Contains(rule.Rule, " saddr @affinity") && !strings.HasPrefix(rule.Rule, "update @affinity") {
				chain.Rules = append(chain.Rules, rule)
			}
		}
	}
}

func TestOracle(t *testing.T) {
	in, err := os.Open(os.Getenv("KPNG_ORACLE_IN"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(os.Getenv("KPNG_ORACLE_OUT"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()

	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		cluster := &oracleCluster{}
		if err := json.Unmarshal(line, cluster); err != nil {
			t.Fatal(err)
		}
		rules := map[v1.IPFamily]*knftables.Fake{
			v1.IPv4Protocol: cluster.rules(v1.IPv4Protocol),
			v1.IPv6Protocol: cluster.rules(v1.IPv6Protocol),
		}
		nodeIPs := []string{cluster.NodeIPs[v1.IPv4Protocol], cluster.NodeIPs[v1.IPv6Protocol]}
		fates := []oracleFate{}
		for _, packet := range cluster.Packets {
			nft := rules[v1.IPFamily(packet.Family)]
			_, output, masquerade := tracePacket(t, nft, packet.Source, strings.ToLower(packet.Protocol), packet.Destination, strconv.Itoa(packet.Port), nodeIPs)
			fates = append(fates, oracleFate{output, masquerade})
		}
		if err := json.NewEncoder(out).Encode(fates); err != nil {
			t.Fatal(err)
		}
	}
}
