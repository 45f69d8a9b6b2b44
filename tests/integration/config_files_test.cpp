// SPDX-License-Identifier: LGPL-2.1-or-later
// Configuration on a real disk: which files are found, in which order, and that those we ship say
// what is built in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/config.hpp"

namespace guestd::config {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A folder that stands for the root of a system, gone with the test.
class ConfigFiles : public ::testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "guestd-config-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        root_ = name;
    }
    void TearDown() override { fs::remove_all(root_); }

    void write(const std::string& path, const std::string& text) {
        fs::create_directories(fs::path{root_ + path}.parent_path());
        std::ofstream{root_ + path} << text;
    }
    std::vector<std::string> found() {
        std::vector<std::string> names;
        for (const auto& source : default_sources(root_).list)
            names.push_back(source.name.substr(root_.size()));
        return names;
    }
    std::string problem() {
        const auto config = Config::load(default_sources(root_));
        return config ? "none" : render_problem(config.error()[0]).substr(root_.size());
    }

    std::string root_;
};

TEST_F(ConfigFiles, AreFoundInOrderOfStrength) {
    EXPECT_THAT(found(), IsEmpty());
    EXPECT_EQ(problem(), "none");
    for (const auto* path :
         {"/etc/guestd/guestd.toml.d/20-b.toml", "/etc/guestd/guestd.toml.d/10-a.toml",
          "/etc/guestd/guestd.toml.d/notes.txt", "/usr/lib/guestd/guestd.toml.d/10-a.toml",
          "/usr/lib/guestd/guestd.toml.d/15-c.toml", "/etc/guestd/guestd.toml",
          "/usr/lib/guestd/guestd.toml", "/etc/default/guestd"})
        write(path, "");
    EXPECT_THAT(found(), ElementsAre("/usr/lib/guestd/guestd.toml", "/etc/guestd/guestd.toml",
                                     "/etc/guestd/guestd.toml.d/10-a.toml",
                                     "/usr/lib/guestd/guestd.toml.d/15-c.toml",
                                     "/etc/guestd/guestd.toml.d/20-b.toml", "/etc/default/guestd"));
    write("/etc/sysconfig/guestd", "");
    EXPECT_EQ(found().back(), "/etc/sysconfig/guestd");
    EXPECT_EQ(problem(), "none");
}

TEST_F(ConfigFiles, OfOneFolderAreItsOwnAndItsDropIns) {
    for (const auto* path : {"/own/guestd.toml.d/20-b.toml", "/own/guestd.toml.d/10-a.toml",
                             "/own/guestd.toml", "/etc/guestd/guestd.toml"})
        write(path, "");
    std::vector<std::string> names;
    for (const auto& source : folder_sources(root_ + "/own").list)
        names.push_back(source.name.substr(root_.size()));
    EXPECT_THAT(names, ElementsAre("/own/guestd.toml", "/own/guestd.toml.d/10-a.toml",
                                   "/own/guestd.toml.d/20-b.toml"));
    EXPECT_THAT(folder_sources(root_ + "/nowhere").list, IsEmpty());
}

TEST_F(ConfigFiles, LaterOnesWin) {
    write("/usr/lib/guestd/guestd.toml", "[boot]\nmax_parallel = 1\nstart_delay = 1\n");
    write("/etc/guestd/guestd.toml", "[boot]\nmax_parallel = 2\nstart_delay = 2\n");
    write("/etc/guestd/guestd.toml.d/a.toml", "[boot]\nmax_parallel = 3\n");
    const auto policy = Config::load(default_sources(root_)).value()->uri("x:///", {});
    EXPECT_EQ(policy.max_parallel, 3U);
    EXPECT_EQ(policy.start_delay, std::chrono::seconds{2});
}

TEST_F(ConfigFiles, ThatCannotBeReadFailTheLoad) {
    write("/etc/guestd/guestd.toml", std::string(kLargestFile + 1, '\n'));
    EXPECT_EQ(problem(), "/etc/guestd/guestd.toml: cannot be read: larger than 1048576 bytes");
    fs::remove(root_ + "/etc/guestd/guestd.toml");
    fs::create_directories(root_ + "/etc/guestd/guestd.toml");
    EXPECT_THAT(problem(), HasSubstr("/etc/guestd/guestd.toml: cannot be read: Is a directory"));
    fs::remove(root_ + "/etc/guestd/guestd.toml");
    ASSERT_EQ(::mkfifo((root_ + "/etc/guestd/guestd.toml").c_str(), 0600), 0);
    EXPECT_EQ(problem(), "/etc/guestd/guestd.toml: cannot be read: it is no file");
    fs::remove(root_ + "/etc/guestd/guestd.toml");
    fs::create_symlink("loop.toml", root_ + "/etc/guestd/loop.toml");
    fs::create_symlink("loop.toml", root_ + "/etc/guestd/guestd.toml");
    EXPECT_THAT(problem(), HasSubstr("/etc/guestd/guestd.toml: cannot be read"));
    fs::remove(root_ + "/etc/guestd/guestd.toml");
    fs::create_symlink("loop.toml", root_ + "/etc/guestd/guestd.toml.d");
    EXPECT_THAT(problem(), HasSubstr("/etc/guestd/guestd.toml.d: cannot be listed"));
    const auto missing = Config::load(file_source(root_ + "/nowhere.toml"));
    ASSERT_FALSE(missing.has_value());
    EXPECT_THAT(missing.error()[0].message, HasSubstr("No such file"));
}

std::string read_project_file(const char* name) {
    const auto path = fs::path{__FILE__}.parent_path() / "../.." / name;
    std::ifstream file{path};
    EXPECT_TRUE(file.is_open()) << path;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// The shipped file with each "#setting" in force; prose is "# text".
std::string uncommented(const std::string& text) {
    std::istringstream lines{text};
    std::string all;
    for (std::string line; std::getline(lines, line);) {
        const bool setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        all += (setting ? line.substr(1) : line) + '\n';
    }
    return all;
}

TEST(ShippedConfig, SaysWhatIsBuiltInAndAllOfIt) {
    const auto shipped = Config::load(text_source(read_project_file("conf/guestd.toml")));
    ASSERT_TRUE(shipped.has_value()) << render_problem(shipped.error()[0]);
    const auto config =
        Config::load(text_source(uncommented(read_project_file("conf/guestd.toml"))));
    ASSERT_TRUE(config.has_value()) << render_problem(config.error()[0]);
    EXPECT_TRUE((*config)->warnings().empty());
    const GuestFacts facts{"qemu:///system", {}, "example", {}};
    for (const auto* of : {static_cast<const GuestFacts*>(nullptr), &facts}) {
        const auto found = (*config)->explain(of, {});
        const auto built_in = Config::built_in()->explain(of, {});
        ASSERT_EQ(found.size(), built_in.size());
        for (std::size_t i = 0; i < found.size(); ++i) {
            EXPECT_EQ(found[i].value, built_in[i].value) << found[i].key;
            EXPECT_NE(found[i].origin.layer, "built-in") << found[i].key << " is not in the file";
            EXPECT_EQ((*shipped)->explain(of, {})[i].origin.layer, "built-in") << found[i].key;
        }
    }
}

TEST(ShippedConfig, SysconfigLoadsWithEveryVariable) {
    const auto text = read_project_file("conf/guestd.sysconfig");
    for (const auto& each : {text, uncommented(text)}) {
        Sources sources;
        sources.list.push_back({SourceKind::sysconfig, "guestd.sysconfig", each});
        const auto config = Config::load(sources);
        EXPECT_TRUE(config.has_value()) << render_problem(config.error()[0]);
    }
    for (const auto* name : {"URIS", "ON_BOOT", "START_DELAY", "ON_SHUTDOWN", "PARALLEL_SHUTDOWN",
                             "SHUTDOWN_TIMEOUT", "BYPASS_CACHE", "SYNC_TIME", "PERSISTENT_ONLY"})
        EXPECT_THAT(text, HasSubstr('\n' + ('#' + std::string{name}) + '='));
}

TEST(ShippedConfig, TheManualKnowsEveryKey) {
    const auto text = read_project_file("docs/configuration.md");
    for (const auto& key : all_keys()) {
        const bool for_guest = key.scope == Scope::guest_only;
        DaemonPolicy daemon;
        UriPolicy uri;
        GuestPolicy guest;
        const auto row = "| `" + spelling(key, for_guest ? TableKind::guest : TableKind::global) +
                         "` | `" + key.format(key.read({&daemon, &uri, &guest})) + "` |";
        EXPECT_THAT(text, HasSubstr(row));
    }
}

}  // namespace
}  // namespace guestd::config
