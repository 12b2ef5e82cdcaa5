// The oracle fills an etcd with data, tells all that can be read back from one, and tries whether one is alive.
// It speaks through etcd's own client, so that it shares no code with what it judges.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const usage = `oracle load|write|dump|check-alive --endpoints URL[,URL] [--cacert F --cert F --key F] [--user NAME:PASSWORD] ...
  load         fills an etcd; the same flags and seed make the same keys and values
  write        puts at a steady rate and notes when each was acknowledged
  dump         prints everything that clients can see, as sorted JSON lines
  check-alive  writes, watches, compacts, defragments, changes members; exits 1 with a sentence when something fails
  repage [--page-bytes N] FROM TO    copies a database file to one with another page size
oracle SUBCOMMAND -h lists the flags.`

// What every subcommand needs to reach a cluster; the flags have etcdctl's names.
type connection struct {
	endpoints, caCert, cert, key, user string
}

func (c *connection) addFlags(flags *flag.FlagSet) {
	flags.StringVar(&c.endpoints, "endpoints", "http://127.0.0.1:2379", "comma-separated client URLs")
	flags.StringVar(&c.caCert, "cacert", "", "PEM file of the CA that signed the servers' certificates")
	flags.StringVar(&c.cert, "cert", "", "PEM file of the client's certificate")
	flags.StringVar(&c.key, "key", "", "PEM file of the client's key")
	flags.StringVar(&c.user, "user", "", "NAME:PASSWORD")
}

func (c *connection) urls() []string { return strings.Split(c.endpoints, ",") }

func (c *connection) tlsConfig() (*tls.Config, error) {
	if c.caCert == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.caCert)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", c.caCert)
	}
	config := &tls.Config{RootCAs: roots}
	if c.cert != "" {
		pair, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (c *connection) dial() (*clientv3.Client, error) {
	tlsConfig, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	config := clientv3.Config{
		Endpoints:          c.urls(),
		DialTimeout:        20 * time.Second,
		TLS:                tlsConfig,
		MaxCallSendMsgSize: 64 << 20,
		Logger:             zap.NewNop(), // errors come back as values
	}
	if c.user != "" {
		var found bool
		// A token is good at a member once that member has applied its issue. The one that issued it has; the others,
		// among whom a client of many endpoints spreads its calls, may lag and refuse it.
		config.Endpoints = config.Endpoints[:1]
		if config.Username, config.Password, found = strings.Cut(c.user, ":"); !found {
			return nil, errors.New("--user takes NAME:PASSWORD")
		}
	}
	return clientv3.New(config)
}

func main() {
	commands := map[string]func(context.Context, []string) error{
		"load": load, "dump": dump, "check-alive": checkAlive, "repage": repage, "write": write,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	if err := commands[os.Args[1]](context.Background(), os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "oracle %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
