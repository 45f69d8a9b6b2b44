// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/import_notes.hpp"

#include <map>
#include <sstream>

#include "guestd/types.hpp"

namespace guestd::ctl {

std::vector<ListedGuest> parse_list(const std::string& text) {
    std::vector<ListedGuest> guests;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words{line};
        std::string uri;
        words >> uri;
        if (uri == "default")
            uri = "qemu:///system";
        for (std::string word; words >> word;)
            if (const auto uuid = Uuid::parse(word))
                guests.push_back({uri, uuid->str()});
    }
    return guests;
}

std::vector<std::string> differences(const std::vector<config::Variable>& variables) {
    std::map<std::string, std::string> set;
    for (const auto& variable : variables)
        set[variable.name] = variable.value;
    const auto is = [&](const char* name, const char* value) { return set[name] == value; };
    std::vector<std::string> notes = {
        "libvirt-guests leaves a guest running that did not stop in time, to be killed with the "
        "host; guestd saves it, or ends it as its last step (shutdown.stop)"};
    if (is("ON_SHUTDOWN", "suspend"))
        notes.emplace_back(
            "ON_SHUTDOWN=suspend saves one guest after the other there; here several at once, and "
            "a guest that cannot be saved is shut down");
    else if (is("SHUTDOWN_TIMEOUT", "0"))
        notes.emplace_back("SHUTDOWN_TIMEOUT=0 waits for ever there; here until shutdown.deadline");
    else if (!set["SHUTDOWN_TIMEOUT"].empty())
        notes.emplace_back(
            "SHUTDOWN_TIMEOUT holds for each guest, or for all that run in parallel, there; here "
            "for each guest, and shutdown.deadline (10min) for all of them together");
    if (set["PARALLEL_SHUTDOWN"].empty())
        notes.emplace_back(
            "PARALLEL_SHUTDOWN is not set: one guest after the other there, all at once here "
            "(shutdown.parallel_shutdown)");
    if (is("ON_BOOT", "ignore"))
        notes.emplace_back(
            "ON_BOOT=ignore: autostart guests come up all the same, as there, but started by "
            "guestd (boot.autostart)");
    else
        notes.emplace_back(
            "guests start one after the other there; here up to boot.max_parallel at once, "
            "with START_DELAY between two starts");
    if (set["SYNC_TIME"].empty())
        notes.emplace_back(
            "SYNC_TIME is not set: clocks of restored guests are left alone there, set here "
            "(boot.sync_time)");
    if (set["PERSISTENT_ONLY"].empty() || is("PERSISTENT_ONLY", "default"))
        notes.emplace_back(
            "transient guests: there it depends on ON_SHUTDOWN whether they are stopped; here they "
            "are shut down, and reported as gone (shutdown.transient)");
    return notes;
}

}  // namespace guestd::ctl
