// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/plan_fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "config/size.hpp"
#include "config/span.hpp"
#include "config/toml_reader.hpp"
#include "ctl/context.hpp"
#include "ctl/files.hpp"
#include "ctl/plan_history.hpp"

namespace guestd::ctl {
namespace {

/// What `guestctl --json list` says of the run under way.
constexpr std::array kOfARun = {"run",         "phase",    "since_usec", "step_deadline_usec",
                                "attempts",    "held_for", "answer",     "bytes_done",
                                "bytes_total", "outcome",  "cause"};

GuestState state_of(const std::string& word) {
    using enum GuestState;
    for (const auto state : {absent, shutoff, running, paused, shutting_down, crashed, pmsuspended})
        if (to_string(state) == word)
            return state;
    throw std::invalid_argument{"unknown state '" + word + "'"};
}

/// One table of the file, key by key; what was not asked for in the end is unknown.
class Fields {
public:
    explicit Fields(const Json& table) : table_(table) {
        if (!table.is_object())
            throw std::invalid_argument{"it is not a table"};
    }

    const Json* take(const char* key) {
        taken_.insert(key);
        const auto at = table_.find(key);
        return at == table_.end() ? nullptr : &*at;
    }
    void text(const char* key, std::string& into) {
        if (const auto* value = take(key))
            into = of_type(key, *value, value->is_string(), "a text").get<std::string>();
    }
    void flag(const char* key, bool& into) {
        if (const auto* value = take(key))
            into = of_type(key, *value, value->is_boolean(), "true or false").get<bool>();
    }
    /// "4GiB", or a number of bytes.
    void size(const char* key, Bytes& into) {
        if (const auto* value = take(key))
            into = parsed(key, *value, config::parse_size);
    }
    /// "1min 30s", or a number of seconds.
    void span(const char* key, std::optional<Duration>& into) {
        if (const auto* value = take(key))
            into = parsed(key, *value, config::parse_span);
    }
    void nothing_else() const {
        for (const auto& [key, value] : table_.items())
            if (!taken_.contains(key))
                throw std::invalid_argument{"unknown key '" + key + "'"};
    }

private:
    static const Json& of_type(const char* key, const Json& value, bool fits, const char* wanted) {
        if (!fits)
            throw std::invalid_argument{fmt::format("'{}' is not {}", key, wanted)};
        return value;
    }
    template <class T>
    static T parsed(const char* key, const Json& value,
                    tl::expected<T, std::string> (*parse)(std::string_view)) {
        const auto result = parse(value.is_string() ? value.get<std::string>() : value.dump());
        if (!result)
            throw std::invalid_argument{fmt::format("'{}': {}", key, result.error())};
        return *result;
    }

    const Json& table_;
    std::set<std::string> taken_;
};

plan::Guest guest_of(const Json& table) {
    Fields fields{table};
    plan::Guest guest;
    std::string uuid;
    std::string state{to_string(guest.state)};
    fields.text("name", guest.name);
    fields.text("uri", guest.uri);
    fields.text("uuid", uuid);
    fields.text("state", state);
    fields.flag("persistent", guest.persistent);
    fields.flag("autostart", guest.autostart);
    fields.flag("managed_save", guest.managed_save);
    fields.flag("has_agent", guest.agent);
    fields.flag("resume", guest.resume);
    fields.size("memory", guest.memory);
    fields.text("metadata", guest.metadata);
    fields.span("shutdown_time", guest.pace.shutdown);
    fields.span("start_time", guest.pace.start);
    fields.span("ready_time", guest.pace.ready);
    for (const char* key : kOfARun)
        fields.take(key);
    fields.nothing_else();
    if (guest.name.empty())
        throw std::invalid_argument{"it has no name"};
    guest.state = state_of(state);
    if (!uuid.empty()) {
        const auto parsed = Uuid::parse(uuid);
        if (!parsed)
            throw std::invalid_argument{"'" + uuid + "' is no UUID"};
        guest.uuid = *parsed;
    }
    return guest;
}

Json json_of(const config::Node& node) {
    struct Visitor {
        Json operator()(const config::Array& array) const {
            Json out = Json::array();
            for (const auto& each : array)
                out.push_back(json_of(each));
            return out;
        }
        Json operator()(const config::Table& table) const {
            Json out = Json::object();
            for (const auto& entry : table)
                out[entry.key] = json_of(entry.value);
            return out;
        }
        Json operator()(const config::Other&) const { return nullptr; }
        Json operator()(const std::string& text) const { return text; }
        Json operator()(bool value) const { return value; }
        Json operator()(std::int64_t value) const { return value; }
        Json operator()(double value) const { return value; }
    };
    return std::visit(Visitor{}, node.data);
}

Json parse(const std::string& path, const std::string& text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    const auto second = first == std::string::npos ? std::string::npos
                                                   : text.find_first_not_of(" \t\r\n", first + 1);
    // A TOML table's header begins with a bracket too, but what follows is another, or a name.
    const bool json = first != std::string::npos &&
                      (text[first] == '{' || (text[first] == '[' && second != std::string::npos &&
                                              (text[second] == '{' || text[second] == ']')));
    if (json)
        return Json::parse(text);
    const auto table = config::read_toml(path, text);
    if (!table)
        throw Stop{kExitFailure, config::render_problem(table.error())};
    return json_of(config::Node{*table, {}});
}

/// What else there is in a file that is more than a list of guests.
void read_uris(const Json& root, plan::Fleet& fleet) {
    Fields fields{root};
    fields.take("guest");
    const Json* const uris = fields.take("uri");
    fields.nothing_else();
    for (const auto& table : uris != nullptr ? *uris : Json::array()) {
        Fields of_uri{table};
        std::string uri;
        Bytes rate;
        of_uri.text("uri", uri);
        of_uri.size("save_rate", rate);
        of_uri.nothing_else();
        if (rate.count > 0)
            fleet.rates[uri] = rate;
    }
}

/// Guests without a UUID get one; two of one URI must not share theirs.
void number(const std::string& path, plan::Fleet& fleet) {
    std::set<std::pair<std::string, Uuid>> seen;
    for (std::size_t i = 0; i < fleet.guests.size(); ++i) {
        auto& guest = fleet.guests[i];
        if (guest.uuid == Uuid{}) {
            Uuid::Raw raw{};
            for (std::size_t at = 0; at < 4; ++at)
                raw[15 - at] = static_cast<std::uint8_t>((i + 1) >> (8 * at));
            guest.uuid = Uuid{raw};
        }
        if (!seen.emplace(guest.uri, guest.uuid).second)
            throw Stop{kExitFailure, path + ": two guests have the UUID " + guest.uuid.str()};
    }
}

/// Guests of one question for metadata, at first: theirs is mostly a few hundred bytes, if they
/// have any, so that it seldom takes a second. guestd reads some 900 UUIDs at once.
constexpr std::size_t kSlice = 500;

void take_metadata(const Json& rows, std::vector<plan::Guest*>& of) {
    std::map<std::pair<std::string, std::string>, std::string> found;
    for (const auto& row : rows)
        found[{text_of(row, "uri"), text_of(row, "uuid")}] = text_of(row, "metadata");
    for (auto* const guest : of)
        if (const auto own = found.find({guest->uri, guest->uuid.str()}); own != found.end())
            guest->metadata = own->second;
}

/// One answer has room for eight guests' at least: what is too much is asked for in halves. A guest
/// whose metadata is not to be had is planned without it.
void ask_metadata(Client& client, plan::Fleet& fleet) {
    std::size_t slice = kSlice;
    for (std::size_t begin = 0; begin < fleet.guests.size();) {
        std::vector<plan::Guest*> asked;
        Strings uuids;
        Strings names;
        for (auto i = begin; i < std::min(begin + slice, fleet.guests.size()); ++i) {
            asked.push_back(&fleet.guests[i]);
            uuids.push_back(fleet.guests[i].uuid.str());
            names.push_back(fleet.guests[i].name);
        }
        try {
            take_metadata(client.call("ListMetadata", {uuids}), asked);
        } catch (const Refused& refused) {
            if (asked.size() > 1) {
                slice = asked.size() / 2;
                continue;
            }
            fleet.untold.push_back({names, refused.what()});
        } catch (const Stop& stop) {
            if (stop.status() != kExitFailure)
                throw;
            fleet.untold.push_back({names, stop.what()});
        }
        begin += asked.size();
    }
}

}  // namespace

plan::Fleet read_fleet(const std::string& path) {
    const std::string text = read_input(path);
    plan::Fleet fleet;
    std::string place;
    try {
        const Json root = parse(path, text);
        const Json guests = root.is_array() ? root : root.value("guest", Json::array());
        for (const auto& table : guests) {
            place = fmt::format("guest {}: ", fleet.guests.size() + 1);
            fleet.guests.push_back(guest_of(table));
        }
        place.clear();
        if (root.is_object())
            read_uris(root, fleet);
    } catch (const std::invalid_argument& wrong) {
        throw Stop{kExitFailure, path + ": " + place + wrong.what()};
    } catch (const Json::exception& wrong) {
        throw Stop{kExitFailure, path + ": " + wrong.what()};
    }
    number(path, fleet);
    return fleet;
}

plan::Fleet ask_fleet(Client& client, const Strings& globs) {
    plan::Fleet fleet;
    std::set<std::pair<std::string, std::string>> listed;
    for (const auto& entry : client.call("ListResumeList"))
        listed.emplace(text_of(entry, "uri"), text_of(entry, "uuid"));
    for (const auto& row : client.call("ListGuests", {globs})) {
        plan::Guest guest{.uri = text_of(row, "uri"), .name = text_of(row, "name")};
        guest.uuid = Uuid::parse(text_of(row, "uuid")).value_or(Uuid{});
        guest.state = state_of(text_of(row, "state"));
        guest.persistent = flag_of(row, "persistent");
        guest.autostart = flag_of(row, "autostart");
        guest.managed_save = flag_of(row, "managed_save");
        guest.agent = flag_of(row, "has_agent");
        guest.memory = {number_of(row, "memory")};
        guest.resume = listed.contains({guest.uri, text_of(row, "uuid")});
        fleet.guests.push_back(std::move(guest));
    }
    ask_metadata(client, fleet);
    learn_from_history(client, fleet);
    return fleet;
}

}  // namespace guestd::ctl
