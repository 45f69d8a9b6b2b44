// SPDX-License-Identifier: LGPL-2.1-or-later

/// What each verb prints with --json is what docs/schema says. Stricter than the schemas: a key
/// that is not in them fails here, so that none is left undocumented.

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "bus_fixture.hpp"

namespace guestd::bus::test {
namespace {

namespace fs = std::filesystem;

bool fits(const std::string& type, const json& value) {
    return type == "object"    ? value.is_object()
           : type == "array"   ? value.is_array()
           : type == "string"  ? value.is_string()
           : type == "boolean" ? value.is_boolean()
           : type == "null"    ? value.is_null()
                               : type == "integer" && value.is_number_integer();
}

std::string complaint(const json& schema, const json& value, const std::string& path = "$");

/// Of an array: each of its elements as "items" says, or one by one as "prefixItems" does.
std::string complaint_of_elements(const json& schema, const json& value, const std::string& path) {
    const bool listed = schema.contains("prefixItems");
    if (listed && schema["prefixItems"].size() != value.size())
        return path + " has " + std::to_string(value.size()) + " elements\n";
    std::string all;
    for (std::size_t i = 0; i < value.size(); ++i)
        all += complaint(listed ? schema["prefixItems"][i] : schema.at("items"), value[i],
                         path + "[" + std::to_string(i) + "]");
    return all;
}

/// Exactly one of the alternatives has no complaint.
std::string complaint_of_choice(const json& choice, const json& value, const std::string& path) {
    std::string all;
    std::size_t good = 0;
    for (const auto& one : choice) {
        const std::string bad = complaint(one, value, path);
        good += bad.empty() ? 1 : 0;
        all += bad;
    }
    return good == 1 ? "" : path + " is none of these, or several:\n" + all;
}

/// The part of JSON Schema that our schemas use. Complaints, with the path of what they are about.
std::string complaint(const json& schema, const json& value, const std::string& path) {
    const std::string type = schema.at("type");
    if (!fits(type, value))
        return path + " is no " + type + "\n";
    if (schema.contains("oneOf"))
        return complaint_of_choice(schema["oneOf"], value, path);
    if (schema.contains("const") && schema["const"] != value)
        return path + " is " + value.dump() + "\n";
    if (schema.contains("enum") && std::ranges::find(schema["enum"], value) == schema["enum"].end())
        return path + " is " + value.dump() + "\n";
    if (schema.contains("minimum") && value.get<std::int64_t>() < schema["minimum"])
        return path + " is too small\n";
    if (type == "array")
        return complaint_of_elements(schema, value, path);
    if (type != "object")
        return "";
    std::string all;
    for (const auto& key : schema.at("required"))
        if (!value.contains(key.get<std::string>()))
            all += path + " lacks " + key.dump() + "\n";
    for (const auto& [key, part] : value.items())
        all += schema.at("properties").contains(key)
                   ? complaint(schema["properties"][key], part, path + "." + key)
                   : path + " has " + key + ", which is not in the schema\n";
    return all;
}

fs::path schema_folder() {
    return fs::path{__FILE__}.parent_path() / "../../docs/schema";
}

json schema(const std::string& name) {
    std::ifstream file{schema_folder() / (name + ".json")};
    return json::parse(file);
}

/// Fields of a schema that say nothing about themselves.
std::string undescribed(const json& node, const std::string& path) {
    std::string all;
    const auto descend = [&](const char* list) {
        const json parts = node.value(list, json::array());
        for (const auto& part : parts)
            all += undescribed(part, path + "." + list);
    };
    const json fields = node.value("properties", json::object());
    for (const auto& [key, field] : fields.items()) {
        const bool fixed = field.contains("const") || field.contains("prefixItems");
        if (!fixed && field["type"] != "null" && field.value("description", "").empty())
            all += path + "." + key + "\n";
        all += undescribed(field, path + "." + key);
    }
    if (node.contains("items") && node["items"].is_object())
        all += undescribed(node["items"], path + "[]");
    descend("oneOf");
    descend("prefixItems");
    return all;
}

class Schema : public BusTest {
protected:
    Schema() {
        guestd->on_loop([&](Server&) { fill(); });
    }

    /// Everything that may be there is there.
    void fill() {
        auto& guest = facade.guest_views[0];
        guest.memory = {1ULL << 30};
        guest.run = 5;
        guest.phase = "save";
        guest.since = guest.step_deadline = at(10s);
        guest.held_for = guest.answer = guest.cause = "x";
        guest.bytes_total = {5};
        RunView run;
        run.record = {.id = 3,
                      .kind = RunKind::drain,
                      .trigger = Trigger::soft_reboot,
                      .state = RunState::finished,
                      .started = at(1s),
                      .deadline = at(9s),
                      .ended = at(2s),
                      .started_wall = WallTime{1s},
                      .selection = {"a*"}};
        facade.run_views = {run};
        facade.status_view.active_run = facade.status_view.last_run = run;
        facade.progress_view = ProgressView{.run = run, .active = {guest}, .active_total = 1};
        facade.run_guest_records = {{.run = 3,
                                     .uri = "test:///a",
                                     .uuid = uuid_number(1),
                                     .name = "db",
                                     .outcome = Outcome::saved,
                                     .cause = "x",
                                     .started = at(1s),
                                     .ended = at(2s),
                                     .bytes = {7}}};
        facade.span_records = {{3, "test:///a", uuid_number(1), "save", at(1s), at(2s), "x"}};
        facade.uri_views = {
            {.uri = "test:///a", .connected = true, .since = at(1s), .reason = "x"}};
        facade.resume_entries = {{.uri = "test:///a",
                                  .uuid = uuid_number(1),
                                  .name = "db",
                                  .since = WallTime{1s},
                                  .last_error = "x"}};
        facade.setting_views = {{"shutdown.stop", "[]", "built-in"}};
    }

    void expect(const std::string& name, std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "--json");
        const Finished done = guestctl(arguments);
        ASSERT_NE(done.out, "") << name << ": " << done.err;
        EXPECT_EQ(complaint(schema(name), json::parse(done.out)), "") << name;
    }

    /// No boot run of this boot is over or under way, and then one is that db has failed in.
    void boot_run(bool over) {
        guestd->on_loop([this, over](Server&) {
            auto& status = facade.status_view;
            status.boot_id = "boot-1";
            status.active_run.reset();
            auto& run = facade.run_views[0].record;
            run.kind = RunKind::boot;
            run.trigger = Trigger::host_boot;
            run.boot_id = over ? status.boot_id : "another";
            status.last_run = facade.run_views[0];
            facade.guest_views[0].run = 0;
            facade.run_guest_records[0].outcome = Outcome::failed;
        });
    }
};

TEST_F(Schema, HoldsForEveryVerb) {
    expect("status", {"status"});
    expect("list", {"list"});
    expect("show", {"show", "db"});
    expect("run", {"boot"});
    expect("run", {"drain"});
    expect("cancel", {"cancel"});
    expect("resume-list", {"resume-list"});
    expect("forgotten", {"resume-list", "--forget", "db"});
    expect("history", {"history"});
    expect("history-run", {"history", "3"});
    expect("plot", {"plot"});
    expect("plan", {"plan", "boot"});
    expect("plan", {"plan", "drain", "--deadline", "1s"});
    expect("import", {"import"});
    expect("config-show", {"config", "show"});
    expect("config-show", {"config", "show", "--files"});
    expect("config-check", {"config", "check"});
    expect("config-check", {"config", "check", "/nonexistent.toml"});
}

TEST_F(Schema, HoldsForARunThatWasWaitedFor) {
    guestd->on_loop([&](Server& server) {
        facade.on_run = [&server](RunId run) {
            server.guest_changed(done(run, 1, "db", Outcome::saved, "x"), "test:///a");
            server.run_ended(run, true);
        };
    });
    expect("run", {"drain", "--wait"});
}

TEST_F(Schema, HoldsForABootRunThatIsSkipped) {
    expect("run", {"boot", "--skip"});
}

TEST_F(Schema, HoldsForWhoIsReadyAndWhoIsNot) {
    boot_run(true);
    expect("wait-ready", {"wait", "--ready"});
    expect("wait-ready", {"wait", "--ready", "web", "nobody"});
    boot_run(false);
    expect("wait-ready", {"wait", "--ready", "--timeout", "1ms"});
}

TEST_F(Schema, HoldsForEveryLineOfMonitor) {
    Signpost listening;
    guestd->on_loop([&](Server&) { facade.on_status = [&] { listening.reach(); }; });
    Guestctl monitor{{"--json", "monitor"}};
    listening.wait();
    guestd->on_loop([&](Server& server) {
        facade.on_status = nullptr;
        server.run_started(3, RunKind::drain, Trigger::ups);
        server.guest_changed(step(3, 1, "db", "save"), "test:///a");
        server.guest_changed(done(3, 1, "db", Outcome::saved, "x"), "test:///a");
        server.progress_changed();
        server.run_ended(3, true);
    });
    ASSERT_TRUE(monitor.read_until("RunEnded"));
    ASSERT_TRUE(monitor.read_until("Progress"));  // at its own pace
    guestd.reset();
    std::istringstream lines{monitor.finish().out};
    std::set<std::string> seen;
    for (std::string line; std::getline(lines, line);) {
        const json told = json::parse(line);
        EXPECT_EQ(complaint(schema("monitor"), told), "") << line;
        seen.insert(told["signal"]);
    }
    EXPECT_THAT(seen,
                testing::ElementsAre("GuestChanged", "Progress", "RunEnded", "RunStarted", "gone"));
}

TEST_F(Schema, HoldsForWhoStartsAutostartGuests) {
    const auto root = fs::temp_directory_path() / ("guestd-schema-" + std::to_string(::getpid()));
    for (const char* part : {"etc/libvirt/qemu/autostart", "etc/systemd/system/wants.wants"})
        fs::create_directories(root / part);
    for (const char* unit : {"guestd.service", "guestd-autostart.service"})
        std::ofstream{root / "etc/systemd/system/wants.wants" / unit};
    expect("autostart-status", {"autostart", "status", "--root", root.string()});
    expect("autostart-change", {"autostart", "give", "--root", root.string()});
    expect("autostart-change", {"autostart", "take", "--root", root.string()});
    fs::remove_all(root);
}

TEST(SchemaFiles, SayWhatTheyAndTheirFieldsAre) {
    std::size_t count = 0;
    for (const auto& file : fs::directory_iterator{schema_folder()}) {
        const std::string name = file.path().stem().string();
        const json text = schema(name);
        EXPECT_EQ(text.value("$id", ""), "urn:guestd:schema:" + name);
        EXPECT_NE(text.value("title", ""), "") << name;
        EXPECT_NE(text.value("description", ""), "") << name;
        EXPECT_EQ(undescribed(text, name), "");
        ++count;
    }
    EXPECT_GT(count, 10U);
}

}  // namespace
}  // namespace guestd::bus::test
