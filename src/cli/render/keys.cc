#include "cli/render/keys.h"

#include <fmt/format.h>

#include "base/text.h"
#include "cli/render/parts.h"

namespace lifeboat::cli {
namespace {

using repository::Catalogue;

std::string lease_text(std::int64_t lease) {
  return lease == 0 ? "-" : fmt::format("{:016x}", static_cast<std::uint64_t>(lease));
}

Json key_json(const operation::KeyLine& line) {
  Json json = Json::object();
  put_bytes(json, "key", line.key);
  json.put("sizeBytes", line.value_bytes)
      .put("createRevision", line.create_revision)
      .put("modRevision", line.mod_revision)
      .put("version", line.version);
  if (line.lease != 0) json.put("lease", lease_text(line.lease));
  return json;
}

std::string_view change_word(operation::Change change) {
  switch (change) {
    case operation::Change::kAdded:
      return "added";
    case operation::Change::kChanged:
      return "changed";
    case operation::Change::kRemoved:
      return "removed";
  }
  return "";
}

char change_mark(operation::Change change) {
  switch (change) {
    case operation::Change::kAdded:
      return '+';
    case operation::Change::kChanged:
      return '~';
    case operation::Change::kRemoved:
      return '-';
  }
  return '?';
}

std::string size_change(const operation::KeyDifference& difference) {
  switch (difference.change) {
    case operation::Change::kAdded:
      return size_text(difference.value_bytes_b);
    case operation::Change::kChanged:
      return size_text(difference.value_bytes_a) + " → " + size_text(difference.value_bytes_b);
    case operation::Change::kRemoved:
      return size_text(difference.value_bytes_a);
  }
  return "";
}

}  // namespace

std::string keys_text(const KeysAnswer& answer, const Style& style) {
  using enum Table::Align;
  const operation::KeyListing& listing = answer.listing;
  std::string text = echo_of(answer.target, style) + "\n";
  if (answer.with_keys) {
    Table table({"KEY", "SIZE", "CREATED", "MODIFIED", "VERSION", "LEASE"}, {kLeft, kRight, kRight, kRight, kRight});
    for (const operation::KeyLine& line : listing.keys) {
      table.row({printable(line.key), size_text(line.value_bytes), fmt::format("{}", line.create_revision),
                 fmt::format("{}", line.mod_revision), fmt::format("{}", line.version), lease_text(line.lease)});
    }
    text += table.text();
  } else {
    Table table({"PREFIX", "KEYS", "SIZE"}, {kLeft, kRight, kRight});
    for (const auto& group : listing.groups) {
      table.row({printable(group.prefix), count_text(group.count), size_text(group.bytes)});
    }
    text += table.text();
  }
  const bool cut = answer.with_keys && listing.keys.size() < listing.count;
  return text +
         fmt::format("{} keys, {} of values{}\n", count_text(listing.count), size_text(listing.value_bytes),
                     cut ? fmt::format("; the first {} are shown (--limit N)", count_text(listing.keys.size())) : "");
}

Json keys_json(const KeysAnswer& answer) {
  Json json = envelope("KeyList");
  json.put("point", target_json(answer.target));
  put_bytes(json, "prefix", answer.prefix);
  json.put("count", answer.listing.count).put("valueBytes", answer.listing.value_bytes);
  Json groups = Json::array();
  for (const auto& group : answer.listing.groups) {
    Json item = Json::object();
    put_bytes(item, "prefix", as_bytes(group.prefix));
    groups.add(std::move(item.put("count", group.count).put("valueBytes", group.bytes)));
  }
  json.put("groups", std::move(groups));
  if (answer.with_keys) {
    Json keys = Json::array();
    for (const operation::KeyLine& line : answer.listing.keys) keys.add(key_json(line));
    json.put("items", std::move(keys)).put("isComplete", answer.listing.keys.size() == answer.listing.count);
  }
  return json;
}

std::string value_text(const Catalogue::Target& target, const operation::KeyValueAt& found, const Style& style) {
  const operation::KeyLine& line = found.line;
  Facts facts;
  facts.put("key", printable(line.key))
      .put("value", fmt::format("{}", size_text(line.value_bytes)))
      .put("created", fmt::format("revision {}", line.create_revision))
      .put("modified", fmt::format("revision {}, version {}", line.mod_revision, line.version))
      .put("lease", line.lease == 0 ? "" : lease_text(line.lease));
  return echo_of(target, style) + "\n" + facts.text() + "\n" + printable(found.value) + "\n";
}

Json value_json(const Catalogue::Target& target, const operation::KeyValueAt& found) {
  Json json = envelope("KeyValue");
  Json key = key_json(found.line);
  put_bytes(key, "value", found.value);
  return json.put("point", target_json(target)).put("item", std::move(key));
}

std::string difference_text(const DifferenceAnswer& answer, const Style& style) {
  const operation::DifferenceReport& report = answer.report;
  std::string text = "a: " + echo_of(answer.a, style) + "\nb: " + echo_of(answer.b, style) + "\n";
  for (const operation::KeyDifference& difference : report.keys) {
    text +=
        fmt::format("{} {}  {}\n", change_mark(difference.change), printable(difference.key), size_change(difference));
  }
  const std::uint64_t all = report.added + report.changed + report.removed;
  if (all == 0) return text + "no differences\n";
  const bool cut = report.keys.size() < all;
  return text +
         fmt::format("{} added, {} changed, {} removed{}\n", count_text(report.added), count_text(report.changed),
                     count_text(report.removed),
                     cut ? fmt::format("; the first {} are shown (--limit N)", count_text(report.keys.size())) : "");
}

Json difference_json(const DifferenceAnswer& answer) {
  const operation::DifferenceReport& report = answer.report;
  Json items = Json::array();
  for (const operation::KeyDifference& difference : report.keys) {
    Json item = Json::object();
    item.put("change", change_word(difference.change));
    put_bytes(item, "key", difference.key);
    if (difference.change != operation::Change::kAdded) {
      item.put("modRevisionA", difference.mod_revision_a).put("sizeBytesA", difference.value_bytes_a);
    }
    if (difference.change != operation::Change::kRemoved) {
      item.put("modRevisionB", difference.mod_revision_b).put("sizeBytesB", difference.value_bytes_b);
    }
    items.add(std::move(item));
  }
  return envelope("Difference")
      .put("a", target_json(answer.a))
      .put("b", target_json(answer.b))
      .put("added", report.added)
      .put("changed", report.changed)
      .put("removed", report.removed)
      .put("items", std::move(items))
      .put("isComplete", report.keys.size() == report.added + report.changed + report.removed);
}

}  // namespace lifeboat::cli
