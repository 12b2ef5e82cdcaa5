#include "repository/store/manifest_store.h"

#include <fmt/format.h>

#include <utility>

#include "repository/store/layout.h"
#include "repository/store/sealed_object.h"

namespace lifeboat::repository {
namespace {

using object::ObjectType;

constexpr int kSidecarZstdLevel = 6;
// Manifests up to this size cost one read.
constexpr std::uint64_t kWholeManifestBytes = 8u << 20;
constexpr std::uint64_t kMaxSidecarBytes = 512u << 20;

std::unexpected<Error> damaged(const std::string& object, std::string why) {
  return fail(ErrorCode::kObjectDamaged, fmt::format("object {} is damaged", object), std::move(why));
}

std::unexpected<Error> reads_back_different(const std::string& object) {
  return damaged(object, "it was just written and does not read back equal");
}

Result<ObjectReader> open_object(const Repository& repo, const std::string& object, ObjectType type) {
  return ObjectReader::open(repo.store(), repo.keys(), object, type, kWholeManifestBytes);
}

struct ReadObject {
  Bytes body, document;
  std::uint64_t stored_bytes = 0;
};

Result<ReadObject> read_object(const Repository& repo, const std::string& object, ObjectType type) {
  const ObjectReader reader = TRY(open_object(repo, object, type));
  return ReadObject{TRY(reader.read_all(kMaxSidecarBytes)), to_bytes(reader.footer()), reader.size_bytes()};
}

using NameOf = std::string (*)(const LineageId&, std::int64_t, const Sha256&);

struct Document {
  ObjectType type{};
  LineageId lineage;
  std::int64_t revision = 0;
  Bytes text;
};

Status reads_back(const Repository& repo, const std::string& name, const Document& document, ByteView body) {
  const ReadObject again = TRY(read_object(repo, name, document.type));
  if (equal(again.document, document.text) && equal(again.body, body)) return {};
  return reads_back_different(name);
}

// The durable writes of a commit end here:
// 1. the object is staged, every frame opened again and compared while it is sealed
// 2. it is published under a name that holds its hash, which makes it count
// 3. it is read back from the store and compared; one that is damaged goes again, so that a command that failed left
//    nothing that counts. One that could not be looked at stays: it may be whole.
Result<std::string> publish_document(const Repository& repo, io::World& world, const Document& document, ByteView body,
                                     NameOf name_of) {
  ObjectWriter writer =
      TRY(ObjectWriter::begin(repo.store(), repo.keys(), world.random, document.type, object::KeyScope::kPlanning));
  TRY(writer.append_plain(body, kSidecarZstdLevel));
  const Sha256 sha = TRY(writer.finish(document.text));
  std::string name = name_of(document.lineage, document.revision, sha);
  TRY(writer.publish(name));
  const Status same = reads_back(repo, name, document, body);
  if (same) return name;
  if (same.error().code() == ErrorCode::kObjectDamaged) TRY(repo.store().remove(name));
  return std::unexpected(same.error());
}

// The lineage and revision that a name says are those that the object says.
Status check_name(const std::string& object, const std::optional<ManifestName>& name, const LineageId& lineage,
                  std::int64_t revision) {
  if (!name) return damaged(object, "its name is not one that Lifeboat gives");
  if (name->lineage != lineage || name->revision != revision) {
    return damaged(object, "its name does not fit what it holds");
  }
  return {};
}

Result<manifest::Manifest> decode_document(const std::string& object, ByteView document) {
  auto manifest = manifest::decode_manifest(document);
  if (!manifest) return std::unexpected(manifest.error().in(object));
  TRY(check_name(object, parse_manifest_name(object), manifest->lineage.id, manifest->revision));
  return manifest;
}

}  // namespace

Result<std::string> publish_manifest(const Repository& repo, io::World& world, const manifest::Manifest& manifest,
                                     ByteView sidecar) {
  manifest::Manifest complete = manifest;
  complete.sidecar_digest = crypto::sha256(sidecar).text();
  if (!manifest.sidecar_digest.empty() && manifest.sidecar_digest != complete.sidecar_digest) {
    return fail(ErrorCode::kInternal, "a manifest names another sidecar than it was given");
  }
  const Document document{ObjectType::kManifest, complete.lineage.id, complete.revision,
                          manifest::encode_manifest(complete)};
  const auto again = manifest::decode_manifest(document.text);
  if (!again) return std::unexpected(again.error().in("a manifest about to be published"));
  if (*again != complete) {
    return fail(ErrorCode::kVerifyBeforePublish, "a manifest did not decode to what was encoded");
  }
  return publish_document(repo, world, document, sidecar, &manifest_name);
}

Result<StoredManifest> read_stored_manifest(const Repository& repo, const std::string& object) {
  const ObjectReader reader = TRY(open_object(repo, object, ObjectType::kManifest));
  auto manifest = TRY(decode_document(object, reader.footer()));
  return StoredManifest{object, reader.size_bytes(), std::move(manifest)};
}

Result<manifest::Manifest> read_manifest(const Repository& repo, const std::string& object) {
  return TRY(read_stored_manifest(repo, object)).manifest;
}

Result<etcd::Sidecar> read_sidecar(const Repository& repo, const std::string& object) {
  const ReadObject stored = TRY(read_object(repo, object, ObjectType::kManifest));
  const manifest::Manifest manifest = TRY(decode_document(object, stored.document));
  if (crypto::sha256(stored.body).text() != manifest.sidecar_digest) {
    return damaged(object, "its sidecar does not have the digest that the manifest says");
  }
  auto sidecar = etcd::Sidecar::decode(stored.body);
  if (!sidecar) return std::unexpected(sidecar.error().in(object));
  return sidecar;
}

Result<std::string> publish_attestation(const Repository& repo, io::World& world,
                                        const manifest::Attestation& attestation) {
  const Document document{ObjectType::kAttestation, attestation.lineage, attestation.revision,
                          manifest::encode_attestation(attestation)};
  return publish_document(repo, world, document, {}, &attestation_name);
}

Result<manifest::Attestation> read_attestation(const Repository& repo, const std::string& object) {
  const ObjectReader reader = TRY(open_object(repo, object, ObjectType::kAttestation));
  auto attestation = manifest::decode_attestation(reader.footer());
  if (!attestation) return std::unexpected(attestation.error().in(object));
  TRY(check_name(object, parse_attestation_name(object), attestation->lineage, attestation->revision));
  return attestation;
}

}  // namespace lifeboat::repository
