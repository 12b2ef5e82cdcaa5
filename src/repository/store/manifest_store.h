// Manifests, their sidecars and attestations in the store.
#pragma once

#include <string>

#include "format/etcd/sidecar.h"
#include "format/manifest/manifest.h"
#include "repository/store/repository.h"

namespace lifeboat::repository {

struct StoredManifest {
  std::string object;              // its name
  std::uint64_t stored_bytes = 0;  // of the object, sidecar included
  manifest::Manifest manifest;
};

// One object: the encoded sidecar in frames of its own, the document as footer, so that the
// document alone is read from the object's end. Its sidecar_digest is filled in. Read back and
// compared before it returns the object's name.
Result<std::string> publish_manifest(const Repository& repo, io::World& world, const manifest::Manifest& manifest,
                                     ByteView sidecar);
// kObjectDamaged also when the object's name says another lineage or revision.
Result<manifest::Manifest> read_manifest(const Repository& repo, const std::string& object);
Result<StoredManifest> read_stored_manifest(const Repository& repo, const std::string& object);
// Compared with the digest in the manifest.
Result<etcd::Sidecar> read_sidecar(const Repository& repo, const std::string& object);

// Read back and compared, as a manifest.
Result<std::string> publish_attestation(const Repository& repo, io::World& world,
                                        const manifest::Attestation& attestation);
Result<manifest::Attestation> read_attestation(const Repository& repo, const std::string& object);

}  // namespace lifeboat::repository
