// Objects as a Kubernetes API server stores them: built-in kinds as protobuf behind an envelope, custom ones as JSON.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// An object of the population: its key never changes, its value is a function of the generation.
type object struct {
	index      uint64
	generation uint64
	seed       uint64
	valueBytes int
}

type kind struct {
	resource, name, apiVersion string
	weight                     int     // of 100 objects
	size                       float64 // of the mean value size
	custom                     bool
}

var kinds = []kind{
	{"pods", "Pod", "v1", 30, 1.60, false},
	{"events", "Event", "v1", 18, 0.40, false},
	{"configmaps", "ConfigMap", "v1", 9, 1.00, false},
	{"secrets", "Secret", "v1", 9, 0.80, false},
	{"replicasets", "ReplicaSet", "apps/v1", 9, 1.10, false},
	{"deployments", "Deployment", "apps/v1", 4, 1.30, false},
	{"endpointslices", "EndpointSlice", "discovery.k8s.io/v1", 6, 0.70, false},
	{"leases", "Lease", "coordination.k8s.io/v1", 4, 0.25, false},
	{"serviceaccounts", "ServiceAccount", "v1", 4, 0.25, false},
	{"stable.example.com/backups", "Backup", "stable.example.com/v1", 7, 1.20, true},
}

var words = []string{"api", "auth", "billing", "cache", "cart", "checkout", "events", "frontend", "gateway", "ingest",
	"inventory", "ledger", "mailer", "metrics", "notifier", "orders", "payments", "profile", "queue", "reports",
	"router", "search", "sessions", "shipping", "storage", "sync", "tokens", "users", "webhooks", "worker"}

const letters = "bcdfghjklmnpqrstvwxz2456789" // what Kubernetes draws name suffixes from

func (o object) random(stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(o.seed^stream<<56, o.index))
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func suffix(r *rand.Rand, n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = letters[r.IntN(len(letters))]
	}
	return string(text)
}

func hexText(r *rand.Rand, bytes int) string {
	raw := make([]byte, bytes)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return fmt.Sprintf("%x", raw)
}

func uid(r *rand.Rand) string {
	h := hexText(r, 16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// What key and value have in common; drawn in a fixed order from the object's own random stream.
type identity struct {
	kind                      kind
	namespace, app, name, uid string
	createdS                  int64
}

func (o object) identity() identity {
	r := o.random(1)
	draw := r.IntN(100)
	at := 0
	for draw >= kinds[at].weight {
		draw -= kinds[at].weight
		at++
	}
	app := pick(r, words) + "-" + pick(r, words)
	return identity{
		kind:      kinds[at],
		namespace: fmt.Sprintf("team-%s-%d", pick(r, words), r.IntN(8)),
		app:       app,
		name:      fmt.Sprintf("%s-%s-%s%x", app, suffix(r, 9), suffix(r, 5), o.index),
		uid:       uid(r),
		createdS:  1_760_000_000 + r.Int64N(30_000_000),
	}
}

func (o object) key() string {
	id := o.identity()
	return "/registry/" + id.kind.resource + "/" + id.namespace + "/" + id.name
}

func (o object) value() []byte {
	id := o.identity()
	spread := 0.5 + o.random(2).Float64()
	target := int(float64(o.valueBytes) * id.kind.size * spread)
	if id.kind.custom {
		return o.customResource(id, target)
	}
	return o.builtIn(id, target)
}

// A protobuf message under construction.
type message []byte

func (m *message) number(field int, value uint64) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3)
	*m = binary.AppendUvarint(*m, value)
}

func (m *message) bytes(field int, value []byte) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|2)
	*m = binary.AppendUvarint(*m, uint64(len(value)))
	*m = append(*m, value...)
}

func (m *message) text(field int, value string) { m.bytes(field, []byte(value)) }

func (m *message) time(field int, seconds int64) {
	var time message
	time.number(1, uint64(seconds))
	time.number(2, 0)
	m.bytes(field, time)
}

func (m *message) pair(field int, key, value string) {
	var pair message
	pair.text(1, key)
	pair.text(2, value)
	m.bytes(field, pair)
}

func (o object) metadata(id identity) message {
	var meta message
	meta.text(1, id.name)
	meta.text(3, id.namespace)
	meta.text(5, id.uid)
	meta.number(7, o.generation)
	meta.time(8, id.createdS)
	meta.pair(11, "app.kubernetes.io/name", id.app)
	meta.pair(11, "app.kubernetes.io/managed-by", "Helm")
	meta.pair(11, "pod-template-hash", suffix(o.random(3), 9))
	var field message
	field.text(1, "kube-controller-manager")
	field.text(2, "Update")
	field.text(3, id.kind.apiVersion)
	field.time(4, id.createdS+int64(o.generation)*61)
	field.text(6, "FieldsV1")
	var fields message
	fields.text(1, `{"f:metadata":{"f:generateName":{},"f:labels":{".":{},"f:app.kubernetes.io/name":{},`+
		`"f:pod-template-hash":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"`+uid(o.random(4))+`\"}":{}}}}`)
	field.bytes(7, fields)
	meta.bytes(17, field)
	return meta
}

func (o object) status(id identity) message {
	r := rand.New(rand.NewPCG(o.seed+o.generation, o.index))
	var status message
	status.text(1, []string{"Running", "Running", "Running", "Pending", "Succeeded"}[r.IntN(5)])
	for i, condition := range []string{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		var c message
		c.text(1, condition)
		c.text(2, []string{"True", "True", "False"}[r.IntN(3)])
		c.time(4, id.createdS+int64(o.generation)*61+int64(i))
		status.bytes(2, c)
	}
	status.text(5, fmt.Sprintf("10.%d.%d.%d", r.IntN(8), r.IntN(256), r.IntN(256)))
	status.text(6, fmt.Sprintf("10.244.%d.%d", r.IntN(256), r.IntN(256)))
	if id.kind.resource == "pods" {
		var container message
		container.text(1, id.app)
		container.number(4, 1)
		container.number(5, o.generation)
		container.text(8, "containerd://"+hexText(r, 32))
		status.bytes(8, container)
	}
	return status
}

// Containers with environment, mounts and probes, until the message has about `target` bytes.
func (o object) spec(id identity, target int) message {
	r := o.random(5)
	var spec message
	for len(spec) < target {
		var container message
		container.text(1, pick(r, words))
		container.text(2, fmt.Sprintf("registry.example.com/%s/%s:v1.%d.%d", id.namespace, id.app, r.IntN(30), r.IntN(10)))
		for i := 0; i < 6 && len(spec)+len(container) < target; i++ {
			container.pair(7, "FEATURE_"+pick(r, words)+"_URL",
				fmt.Sprintf("http://%s.%s.svc.cluster.local:8080/v1/%s", pick(r, words), id.namespace, pick(r, words)))
		}
		container.pair(9, "kube-api-access-"+suffix(r, 5), "/var/run/secrets/kubernetes.io/serviceaccount")
		container.text(13, "/dev/termination-log")
		spec.bytes(2, container)
	}
	spec.text(3, "Always")
	spec.number(4, 30)
	spec.text(6, "ClusterFirst")
	spec.text(8, "default")
	spec.text(10, fmt.Sprintf("node-%03d.eu-west-1.compute.internal", r.IntN(200)))
	return spec
}

// Kubernetes' envelope: the magic, then runtime.Unknown with the type and the object's own message.
func (o object) builtIn(id identity, target int) []byte {
	var body message
	body.bytes(1, o.metadata(id))
	status := o.status(id)
	body.bytes(2, o.spec(id, max(target-len(body)-len(status)-120, 0)))
	body.bytes(3, status)
	var kindOf message
	kindOf.text(1, id.kind.apiVersion)
	kindOf.text(2, id.kind.name)
	envelope := message("k8s\x00")
	envelope.bytes(1, kindOf)
	envelope.bytes(2, body)
	envelope.text(3, "")
	envelope.text(4, "")
	return envelope
}

func (o object) customResource(id identity, target int) []byte {
	r := o.random(6)
	steps := []map[string]any{}
	for size := 700; size < target; size += 110 {
		steps = append(steps, map[string]any{"name": pick(r, words), "image": "registry.example.com/tools/" + pick(r, words),
			"timeoutSeconds": 30 * r.IntN(20), "retry": map[string]any{"limit": r.IntN(5)}})
	}
	value, err := json.Marshal(map[string]any{
		"apiVersion": id.kind.apiVersion,
		"kind":       id.kind.name,
		"metadata": map[string]any{"name": id.name, "namespace": id.namespace, "uid": id.uid, "generation": o.generation,
			"creationTimestamp": rfc3339(id.createdS), "labels": map[string]string{"app": id.app}},
		"spec": map[string]any{"schedule": fmt.Sprintf("%d */%d * * *", r.IntN(60), 1+r.IntN(12)), "steps": steps},
		"status": map[string]any{"observedGeneration": o.generation, "phase": "Completed",
			"lastRunTime": rfc3339(id.createdS + int64(o.generation)*61)},
	})
	if err != nil {
		panic(err) // maps of strings and numbers always encode
	}
	return value
}
