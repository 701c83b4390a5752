package plane

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// User is whom the API server knows by a token.
type User struct{ Name, Group string }

var (
	admin             = User{"admin", "system:masters"}
	controllerManager = User{Name: "system:kube-controller-manager"}
	scheduler         = User{Name: "system:kube-scheduler"}
	// Proxy is kube-proxy of every node.
	Proxy = User{Name: "system:kube-proxy"}
)

// Kubelet is the kubelet of one node.
func Kubelet(node string) User { return User{"system:node:" + node, "system:nodes"} }

// Credentials are what the parts of one control plane know each other by; made anew at each start.
type Credentials struct {
	*authority
	server string
	tokens map[User]string
}

// makeCredentials writes the files that the flags in flags.go name.
func makeCredentials(dir string, options Options) (*Credentials, error) {
	if err := os.MkdirAll(filepath.Join(dir, "pki"), 0o700); err != nil {
		return nil, err
	}
	authority, err := makeAuthority()
	if err != nil {
		return nil, err
	}
	c := &Credentials{authority: authority, tokens: makeTokens(options.Nodes)}
	accountKey, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{
		authorityFile:  c.Authority,
		accountKeyFile: pemOfKey(accountKey),
		tokensFile:     c.tokensFile(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	if err := c.Issue(dir, servingFile, servingKeyFile, apiServer(options.Address)); err != nil {
		return nil, err
	}
	return c, c.Issue(dir, kubeletClientFile, kubeletClientKeyFile, kubeletClient())
}

func makeTokens(nodes []string) map[User]string {
	users := []User{admin, controllerManager, scheduler, Proxy}
	for _, node := range nodes {
		users = append(users, Kubelet(node))
	}
	tokens := map[User]string{}
	for _, user := range users {
		random := make([]byte, 24)
		_, _ = rand.Read(random) // crypto/rand does not fail
		tokens[user] = hex.EncodeToString(random)
	}
	return tokens
}

// tokensFile is the API server's: token, user, uid, group.
func (c *Credentials) tokensFile() []byte {
	var lines strings.Builder
	for user, token := range c.tokens {
		fmt.Fprintf(&lines, "%s,%s,%s,%s\n", token, user.Name, user.Name, user.Group)
	}
	return []byte(lines.String())
}

// WriteKubeconfig writes one that holds all it needs, so that it can be copied elsewhere.
func (c *Credentials) WriteKubeconfig(file string, user User) error {
	return os.WriteFile(file, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: cluster
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: user
  user:
    token: %s
contexts:
- name: cluster
  context:
    cluster: cluster
    user: user
current-context: cluster
`, c.server, base64.StdEncoding.EncodeToString(c.Authority), c.tokens[user]), 0o600)
}
