// Choice of the member to read from.
#include "source/etcd/endpoint_choice.h"

#include <algorithm>
#include <charconv>
#include <future>
#include <optional>
#include <string_view>
#include <tuple>

#include "base/text.h"
#include "source/etcd/rpc.h"

namespace lifeboat::source {
namespace {

// The member that an alarm names; nullopt when it names none.
std::optional<std::uint64_t> member_named_in(std::string_view alarm) {
  constexpr std::string_view kField = "memberID:";
  const auto at = alarm.find(kField);
  if (at == std::string_view::npos) return std::nullopt;
  alarm.remove_prefix(at + kField.size());
  alarm.remove_prefix(std::min(alarm.find_first_not_of(' '), alarm.size()));
  std::uint64_t id = 0;
  const auto read = std::from_chars(alarm.data(), alarm.data() + alarm.size(), id);
  return read.ec == std::errc{} ? std::optional(id) : std::nullopt;
}

auto rank(const MemberStatus& member, const MemberWish& wish, std::int64_t newest) {
  const std::int64_t lag = newest - member.revision;
  return std::tuple(member.endpoint != wish.preferred, is_called_corrupt(member), member.endpoint == wish.failed_last,
                    member.is_learner, member.leader == 0, lag > wish.lag_allowed ? lag : 0);
}

std::int64_t newest_revision(std::span<const MemberStatus> members) {
  return members.empty() ? 0 : std::ranges::max(members, {}, &MemberStatus::revision).revision;
}

Status check_one_cluster(std::span<const MemberStatus> members) {
  for (const MemberStatus& member : members) {
    if (member.cluster_id == members.front().cluster_id) continue;
    return fail(
        ErrorCode::kBadSetting,
        "the endpoints " + members.front().endpoint + " and " + member.endpoint + " belong to different clusters",
        "their cluster ids differ", "Name the members of one cluster in --endpoints.");
  }
  return {};
}

void note_member(const MemberStatus& member, std::int64_t newest, std::vector<std::string>& notes) {
  if (member.is_learner) {
    notes.push_back(member.endpoint + " is a learner: it does not vote and may be behind.");
  }
  if (const auto lag = newest - member.revision; lag > kLagWorthSaying) {
    notes.push_back(member.endpoint + " lags: it is " + count_text(static_cast<std::uint64_t>(lag)) +
                    " revisions behind the most advanced member.");
  }
  for (const std::string& error : member.errors) {
    const bool is_alarm = error.find("alarm:") != std::string::npos;  // else it has no leader, or cannot be read
    notes.push_back(member.endpoint + (is_alarm ? " raises an alarm: " : " reports: ") + printable(error) + ".");
  }
}

}  // namespace

std::vector<EndpointState> ask_all(Client& client) {
  std::vector<std::future<Result<MemberStatus>>> answers;
  for (const std::string& endpoint : client.endpoints())
    answers.push_back(std::async(std::launch::async, [&client, &endpoint] { return client.status(endpoint); }));
  std::vector<EndpointState> states;
  for (std::size_t i = 0; i < answers.size(); ++i) states.push_back({client.endpoints()[i], answers[i].get()});
  return states;
}

bool is_called_corrupt(const MemberStatus& member) {
  return std::ranges::any_of(member.errors, [&](const std::string& error) {
    return error.contains("CORRUPT") && member_named_in(error).value_or(member.member_id) == member.member_id;
  });
}

void sort_best_first(std::vector<MemberStatus>& members, const MemberWish& wish) {
  const std::int64_t newest = newest_revision(members);
  std::ranges::stable_sort(members, {}, [&](const MemberStatus& member) { return rank(member, wish, newest); });
}

Result<EndpointChoice> choose_endpoints(std::span<const EndpointState> states, const std::string& preferred) {
  EndpointChoice choice;
  std::vector<MemberStatus> members;
  std::vector<Error> errors;
  for (const EndpointState& state : states) {
    if (state.status) {
      members.push_back(*state.status);
      continue;
    }
    errors.push_back(state.status.error());
    choice.notes.push_back(state.endpoint + " does not answer: " + state.status.error().why() + ".");
  }
  if (members.empty()) return std::unexpected(failed_everywhere(errors, "the status"));
  TRY(check_one_cluster(members));

  std::ranges::stable_partition(members, [](const auto& member) { return member.member_id != member.leader; });
  sort_best_first(members, {.preferred = preferred});
  const std::int64_t newest = newest_revision(members);
  for (const MemberStatus& member : members) {
    choice.order.push_back(member.endpoint);
    note_member(member, newest, choice.notes);
  }
  return choice;
}

}  // namespace lifeboat::source
