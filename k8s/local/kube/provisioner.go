package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// storageClass is the class that the provisioner serves, and its own name in annotations.
	storageClass = "local"
	// provisionInterval is how often the caches are looked through; they are in memory, so it is cheap.
	provisionInterval = 100 * time.Millisecond

	selectedNodeAnnotation  = "volume.kubernetes.io/selected-node"
	provisionedByAnnotation = "pv.kubernetes.io/provisioned-by"
)

// provisioner makes a directory and a `local` PersistentVolume for each claim of its storage class once the
// scheduler has chosen a node, grows volumes, and deletes released ones. A `local` volume, unlike a hostPath,
// honours fsGroup, so that a pod that is not root can write to it.
type provisioner struct {
	client    kubernetes.Interface
	claims    corelisters.PersistentVolumeClaimLister
	volumes   corelisters.PersistentVolumeLister
	directory string
}

// runProvisioner is `provisioner KUBECONFIG DIRECTORY`.
func runProvisioner() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: provisioner KUBECONFIG DIRECTORY")
		os.Exit(2)
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "provisioner: cannot read the kubeconfig:", err)
		os.Exit(1)
	}
	ctx, client := context.Background(), kubernetes.NewForConfigOrDie(config)
	factory := informers.NewSharedInformerFactory(client, 0)
	p := provisioner{
		client:    client,
		claims:    factory.Core().V1().PersistentVolumeClaims().Lister(),
		volumes:   factory.Core().V1().PersistentVolumes().Lister(),
		directory: os.Args[2],
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for ; ; time.Sleep(provisionInterval) {
		p.serveClaims(ctx)
		p.removeReleased(ctx)
	}
}

func (p provisioner) serveClaims(ctx context.Context) {
	claims, err := p.claims.List(labels.Everything())
	report("list claims", err)
	for _, claim := range claims {
		if claim.Spec.StorageClassName == nil || *claim.Spec.StorageClassName != storageClass || claim.DeletionTimestamp != nil {
			continue
		}
		if claim.Spec.VolumeName == "" {
			p.create(ctx, claim)
		} else if claim.Status.Phase == v1.ClaimBound {
			p.grow(ctx, claim)
		}
	}
}

func (p provisioner) create(ctx context.Context, claim *v1.PersistentVolumeClaim) {
	node, name := claim.Annotations[selectedNodeAnnotation], "pvc-"+string(claim.UID)
	if node == "" {
		return // The scheduler has not chosen yet.
	}
	if _, err := p.volumes.Get(name); err == nil {
		return // It is there; the binder has not seen it yet.
	}
	path := filepath.Join(p.directory, name)
	if err := os.MkdirAll(path, 0o777); err != nil {
		report("make "+path, err)
		return
	}
	report("open "+path, os.Chmod(path, 0o777)) // MkdirAll is subject to the umask.
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, localVolume(name, path, node, claim), metav1.CreateOptions{})
	report("create "+name, err)
}

func localVolume(name, path, node string, claim *v1.PersistentVolumeClaim) *v1.PersistentVolume {
	onNode := v1.NodeSelectorRequirement{Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{node}}
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedByAnnotation: storageClass}},
		Spec: v1.PersistentVolumeSpec{
			Capacity:                      v1.ResourceList{v1.ResourceStorage: claim.Spec.Resources.Requests[v1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    claim.Spec.VolumeMode,
			StorageClassName:              storageClass,
			PersistentVolumeReclaimPolicy: v1.PersistentVolumeReclaimDelete,
			ClaimRef: &v1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: v1.PersistentVolumeSource{Local: &v1.LocalVolumeSource{Path: path}},
			NodeAffinity: &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{
				NodeSelectorTerms: []v1.NodeSelectorTerm{{MatchExpressions: []v1.NodeSelectorRequirement{onNode}}},
			}},
		},
	}
}

// grow says that the volume and the claim have the size that the claim asks for: a directory has no size of its own.
func (p provisioner) grow(ctx context.Context, claim *v1.PersistentVolumeClaim) {
	want := claim.Spec.Resources.Requests[v1.ResourceStorage]
	if want.Cmp(claim.Status.Capacity[v1.ResourceStorage]) <= 0 {
		return
	}
	volume, err := p.volumes.Get(claim.Spec.VolumeName)
	if err != nil {
		return // Not in the cache yet: the next round sees it.
	}
	volume, claim = volume.DeepCopy(), claim.DeepCopy()
	volume.Spec.Capacity[v1.ResourceStorage] = want
	_, err = p.client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{})
	report("grow "+volume.Name, err)
	claim.Status.Capacity[v1.ResourceStorage] = want
	_, err = p.client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, metav1.UpdateOptions{})
	report("grow "+claim.Name, err)
}

func (p provisioner) removeReleased(ctx context.Context) {
	volumes, err := p.volumes.List(labels.Everything())
	report("list volumes", err)
	for _, volume := range volumes {
		ours := volume.Annotations[provisionedByAnnotation] == storageClass && volume.Spec.Local != nil
		released := volume.Status.Phase == v1.VolumeReleased && volume.DeletionTimestamp == nil
		if !ours || !released || volume.Spec.PersistentVolumeReclaimPolicy != v1.PersistentVolumeReclaimDelete {
			continue
		}
		report("remove "+volume.Name, os.RemoveAll(volume.Spec.Local.Path))
		report("delete "+volume.Name, p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{}))
	}
}

// report writes down an error that the next round does not mend by itself.
func report(what string, err error) {
	if err == nil || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return
	}
	fmt.Fprintln(os.Stderr, time.Now().Format(time.RFC3339), what, err)
}
