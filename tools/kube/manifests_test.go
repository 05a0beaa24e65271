package kube

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// A set of manifests that is applied together.
func sets(t *testing.T) map[string][]object {
	all := map[string][]object{}
	for _, folder := range []string{"base", "overlays/demo", "overlays/production", "overlays/fixed-agents"} {
		all["kustomize "+folder] = kustomized(t, folder)
	}
	all["examples/gate-job.yaml"] = append(kustomized(t, "base"), fromFile(t, "kubernetes/examples/gate-job.yaml")...)
	for _, values := range []string{
		"{}",
		"{simulator: {enabled: true}, controller: {persistence: {enabled: false}}}",
		"{agents: {autoscaling: {enabled: true}, allowTargets: ['10.0.0.0/8:8000', '*.models.svc'], spread: DoNotSchedule, nodeSelector: {pool: load}, tolerations: [{key: load, operator: Exists}]}, monitoring: {enabled: true, labels: {release: prometheus}}}",
		"{agents: {kind: Job, replicas: 8}, tls: {secretName: bench-tls}, monitoring: {enabled: true}}",
		"{tokens: {existingClientSecret: a, existingAgentSecret: b, existingMetricsSecret: c}, monitoring: {enabled: true}, imagePullSecrets: [{name: pull}], controller: {allowHosts: [bench.example.org], allowEnv: [KEY], env: [{name: KEY, value: x}], extraArgs: ['--heartbeat=1s']}}",
		"{networkPolicy: {enabled: false}, podDisruptionBudget: {enabled: false}}",
	} {
		objects, err := helmed(t, values)
		if err != nil {
			t.Fatalf("helm %s: %v", values, err)
		}
		all["helm "+values] = objects
	}
	return all
}

func TestManifests(t *testing.T) {
	binary := build(t)
	for name, objects := range sets(t) {
		t.Run(name, func(t *testing.T) {
			seen := map[string]bool{}
			for _, o := range objects {
				checkSchema(t, o)
				if seen[o.name()] {
					t.Errorf("%s stands twice", o.name())
				}
				seen[o.name()] = true
			}
			pods := podsOf(t, objects)
			if len(pods) < 2 {
				t.Fatalf("%d pods", len(pods))
			}
			for _, p := range pods {
				p.restricted(t)
				p.wired(t)
				p.understood(t, binary)
			}
			reach(t, objects, pods)
		})
	}
}

// Values that make no sense are refused with their path.
func TestValuesAreRefused(t *testing.T) {
	for values, says := range map[string]string{
		"{agent: {replicas: 2}}":                                              "agent",
		"{agents: {replicas: many}}":                                          "replicas",
		"{agents: {kind: DaemonSet}}":                                         "kind",
		"{agents: {kind: Job, autoscaling: {enabled: true}}}":                 "only agents of kind Deployment",
		"{controller: {lease: soon}}":                                         "lease",
		"{controller: {persistence: {size: big}}}":                            "size",
		"{monitoring: {enabled: true}, tokens: {existingClientSecret: mine}}": "existingMetricsSecret",
		"{image: {repository: ''}}":                                           "repository",
		"{tls: {secret: x}}":                                                  "secret",
	} {
		if _, err := helmed(t, values); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want something about %q", values, err, says)
		}
	}
}

// build makes the binary whose flags the manifests use.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "stampede")
	cmd := exec.Command("go", "build", "-C", filepath.Join("..", ".."), "-o", binary, "./cmd/stampede")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// pod is what a workload makes pods of.
type pod struct {
	of       object
	template corev1.PodTemplateSpec
	claims   []string
}

func podsOf(t *testing.T, objects []object) []pod {
	t.Helper()
	var all []pod
	for _, o := range objects {
		raw := o.at("spec", "template")
		if raw == nil {
			continue
		}
		p := pod{of: o}
		if err := into(raw.(map[string]any), &p.template); err != nil {
			t.Fatalf("%s: %v", o.name(), err)
		}
		claims, _ := o.at("spec", "volumeClaimTemplates").([]any)
		for _, c := range claims {
			p.claims = append(p.claims, object(c.(map[string]any)).str("metadata", "name"))
		}
		all = append(all, p)
	}
	return all
}

// restricted: the strictest pod security standard lets it in.
func (p pod) restricted(t *testing.T) {
	t.Helper()
	e, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	if r := policy.AggregateCheckResults(e.EvaluatePod(level, &p.template.ObjectMeta, &p.template.Spec)); !r.Allowed {
		t.Errorf("%s: %s", p.of.name(), r.ForbiddenDetail())
	}
	for _, c := range p.template.Spec.Containers {
		if c.SecurityContext == nil || c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
			t.Errorf("%s: %s may write to its root", p.of.name(), c.Name)
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s: %s asks for no CPU or has no bound on memory", p.of.name(), c.Name)
		}
		if long := p.of.kind() != "Job" || p.of.str("metadata", "labels", "app.kubernetes.io/component") == "agent"; long && (c.LivenessProbe == nil || c.ReadinessProbe == nil) {
			t.Errorf("%s: %s has no probes", p.of.name(), c.Name)
		}
	}
	if token := p.template.Spec.AutomountServiceAccountToken; token == nil || *token {
		t.Errorf("%s: has a token of the cluster's API", p.of.name())
	}
}

// wired: what is mounted exists, what is selected is there.
func (p pod) wired(t *testing.T) {
	t.Helper()
	volumes := p.claims
	for _, v := range p.template.Spec.Volumes {
		volumes = append(volumes, v.Name)
	}
	for _, c := range p.template.Spec.Containers {
		for _, m := range c.VolumeMounts {
			if !slices.Contains(volumes, m.Name) {
				t.Errorf("%s: mounts %s, which is no volume of %q", p.of.name(), m.Name, volumes)
			}
		}
	}
	if selector, ok := p.of.at("spec", "selector").(map[string]any); ok && !selects(t, selector, p.template.Labels) {
		t.Errorf("%s: selects %v, which its pods are not: %v", p.of.name(), selector, p.template.Labels)
	}
	for _, c := range p.template.Spec.TopologySpreadConstraints {
		s, err := metav1.LabelSelectorAsSelector(c.LabelSelector)
		if err != nil || !s.Matches(labels(p.template.Labels)) {
			t.Errorf("%s: spreads %v, which its pods are not (%v)", p.of.name(), c.LabelSelector, err)
		}
	}
}

// understood: the binary takes the arguments.
func (p pod) understood(t *testing.T, binary string) {
	t.Helper()
	for _, c := range p.template.Spec.Containers {
		out, err := exec.Command(binary, append(slices.Clone(c.Args), "--help")...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: stampede %s: %v\n%s", p.of.name(), strings.Join(c.Args, " "), err, out)
		}
	}
}

type labels map[string]string

func (l labels) Has(k string) bool              { _, ok := l[k]; return ok }
func (l labels) Get(k string) string            { return l[k] }
func (l labels) Lookup(k string) (string, bool) { v, ok := l[k]; return v, ok }

func selects(t *testing.T, selector map[string]any, of map[string]string) bool {
	t.Helper()
	var s metav1.LabelSelector
	if err := into(selector, &s); err != nil {
		t.Fatal(err)
	}
	m, err := metav1.LabelSelectorAsSelector(&s)
	if err != nil {
		t.Fatal(err)
	}
	return m.Matches(labels(of))
}

// reach: services, budgets, policies, monitors and scalers find the pods and the
// ports that they name, and every host that a flag names is a service.
func reach(t *testing.T, objects []object, pods []pod) {
	t.Helper()
	matching := func(o object, path ...string) []pod {
		selector, _ := o.at(path...).(map[string]any)
		if _, full := selector["matchLabels"]; !full {
			selector = map[string]any{"matchLabels": selector}
		}
		return slices.DeleteFunc(slices.Clone(pods), func(p pod) bool { return !selects(t, selector, p.template.Labels) })
	}
	services := map[string]bool{}
	for _, o := range objects {
		var found []pod
		switch o.kind() {
		case "Service":
			services[o.str("metadata", "name")] = true
			found = matching(o, "spec", "selector")
			named(t, o, found, "targetPort")
		case "PodDisruptionBudget":
			found = matching(o, "spec", "selector")
		case "NetworkPolicy":
			if m, _ := o.at("spec", "podSelector").(map[string]any); len(m) == 0 {
				continue
			}
			if o.str("metadata", "name") == "stampede-client" {
				continue // for pods that come later
			}
			found = matching(o, "spec", "podSelector")
			named(t, object{"kind": o.kind(), "metadata": o.at("metadata"), "spec": map[string]any{"ingress": o.at("spec", "ingress")}}, found, "port")
		case "PodMonitor":
			found = matching(o, "spec", "selector")
			named(t, o, found, "port")
		case "ServiceMonitor":
			found = matching(o, "spec", "selector")
		case "HorizontalPodAutoscaler":
			for _, p := range pods {
				if p.of.name() == "Deployment/"+o.str("spec", "scaleTargetRef", "name") {
					found = append(found, p)
					if p.of.at("spec", "replicas") != nil {
						t.Errorf("%s: the Deployment sets replicas, too, and each apply would undo what was scaled", o.name())
					}
				}
			}
		default:
			continue
		}
		if len(found) == 0 {
			t.Errorf("%s finds no pod", o.name())
		}
	}
	for _, p := range pods {
		for _, arg := range p.template.Spec.Containers[0].Args {
			if host, ok := strings.CutPrefix(arg, "--controller="); ok && !services[strings.TrimSuffix(host, ":50051")] {
				t.Errorf("%s: %s is no service of %v", p.of.name(), arg, services)
			}
		}
	}
}

// named checks that ports which are given by name are ports of the pods.
func named(t *testing.T, o object, pods []pod, key string) {
	t.Helper()
	ports := map[string]bool{}
	for _, p := range pods {
		for _, c := range p.template.Spec.Containers {
			for _, port := range c.Ports {
				ports[port.Name] = true
			}
		}
	}
	text, err := json.Marshal(o.at("spec"))
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(text), fmt.Sprintf("%q:", key)) {
		if name, ok := strings.CutPrefix(part, `"`); ok {
			name, _, _ = strings.Cut(name, `"`)
			if !ports[name] {
				t.Errorf("%s: %s %q is no port of its pods: %v", o.name(), key, name, ports)
			}
		}
	}
}
