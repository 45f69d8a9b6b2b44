// SPDX-License-Identifier: LGPL-2.1-or-later
/// Autostart flags, which libvirt tells nobody of: links in a folder, and who asks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "libvirt/autostart_monitor.hpp"
#include "libvirt/event_thread.hpp"
#include "libvirt/folder_watch.hpp"
#include "libvirt_qemu_fixture.hpp"
#include "store_support.hpp"

namespace guestd::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

class FolderWatchTest : public ::testing::Test {
protected:
    FolderWatchTest() { libvirt::EventThread::instance(); }

    void watch() {
        watch_ = std::make_unique<libvirt::FolderWatch>(
            folder(), [names = names_](const std::string& name) { names->push(name); });
        watch_->settle();
    }
    fs::path folder() const { return root_ / "qemu" / "autostart"; }
    void touch(const std::string& name) const { std::ofstream{folder() / name}; }
    /// The next name that is told; empty when none is.
    std::optional<std::string> heard() { return names_->pop(); }

    /// Shared with the event thread, which may be at it longer than the test.
    class Names {
    public:
        void push(const std::string& name) {
            const std::lock_guard lock{mutex_};
            names_.push_back(name);
            more_.notify_all();
        }
        std::optional<std::string> pop() {
            std::unique_lock lock{mutex_};
            if (!more_.wait_for(lock, EventInbox::kPatience, [this] { return !names_.empty(); })) {
                return std::nullopt;
            }
            auto name = std::move(names_.front());
            names_.pop_front();
            return name;
        }

    private:
        std::mutex mutex_;
        std::condition_variable more_;
        std::deque<std::string> names_;
    };

    const store::testing::TempDir dir_;
    const fs::path root_ = dir_.path();
    std::shared_ptr<Names> names_ = std::make_shared<Names>();
    std::unique_ptr<libvirt::FolderWatch> watch_;
};

TEST_F(FolderWatchTest, NamesThatComeAndGoAreHeard) {
    fs::create_directories(folder());
    watch();
    touch("web.xml");
    EXPECT_EQ(heard(), "web.xml");
    fs::rename(folder() / "web.xml", root_ / "web.xml");
    EXPECT_EQ(heard(), "web.xml");
    fs::rename(root_ / "web.xml", folder() / "db.xml");
    EXPECT_EQ(heard(), "db.xml");
    fs::remove(folder() / "db.xml");
    EXPECT_EQ(heard(), "db.xml");
}

TEST_F(FolderWatchTest, AFolderThatIsMadeLaterIsHeardOfStepByStep) {
    watch();
    fs::create_directory(root_ / "lxc");
    fs::create_directory(root_ / "qemu");
    EXPECT_EQ(heard(), "");
    watch_->settle();
    std::ofstream{root_ / "qemu" / "web.xml"};  // a definition beside the folder says nothing
    std::ofstream{root_ / "none.xml"};
    fs::create_directory(folder());
    EXPECT_EQ(heard(), "");
    watch_->settle();
    std::ofstream{root_ / "qemu" / "db.xml"};
    touch("web.xml");
    EXPECT_EQ(heard(), "web.xml");
}

TEST_F(FolderWatchTest, AFolderThatIsReplacedIsHeardOf) {
    fs::create_directories(folder());
    watch();
    fs::remove(folder());
    EXPECT_EQ(heard(), "");
    watch_->settle();
    fs::create_directory(folder());
    EXPECT_EQ(heard(), "");
    watch_->settle();
    touch("web.xml");
    EXPECT_EQ(heard(), "web.xml");
}

TEST_F(FolderWatchTest, OneThatRestsHearsNothingUntilItIsSettledAgain) {
    fs::create_directories(folder());
    watch();
    watch_->rest();
    touch("web.xml");
    watch_->settle();
    touch("db.xml");
    EXPECT_EQ(heard(), "db.xml");
}

/// Nobody looks without being told to.
class AutostartQemu : public LibvirtQemu {
protected:
    const fs::path folder_ = file("libvirt") / "qemu" / "autostart";

    InventoryListed connect() {
        return LibvirtQemu::connect(
            {.autostart_interval = 24h, .autostart_folders = {folder_.string()}});
    }
    int flag(const Uuid& uuid, bool flag) const {
        return virDomainSetAutostart(daemon_.domain(uuid).get(), flag ? 1 : 0);
    }
    std::vector<Uuid> flagged() { return inbox_.take<AutostartListed>().value().flagged; }
};

TEST_F(AutostartQemu, AFlagIsToldOfWhenItIsSetAndTakenAway) {
    const auto web = define("web", 16);
    const auto db = define("db", 16);
    ASSERT_FALSE(fs::exists(folder_)) << "libvirt makes it with the first flag";
    connect();
    ASSERT_EQ(flag(web, true), 0);
    EXPECT_THAT(flagged(), ElementsAre(web));
    ASSERT_EQ(flag(db, true), 0);
    EXPECT_THAT(flagged(), ::testing::UnorderedElementsAre(web, db));
    ASSERT_EQ(flag(web, false), 0);
    EXPECT_THAT(flagged(), ElementsAre(db));
}

TEST_F(AutostartQemu, FlagsAreReadAndHeardOfAfterAnEndThatDidNotCome) {
    const auto web = define("web", 16);
    const auto db = define("db", 16);
    connect();
    const auto asked = [this] {
        hypervisor_->list_autostart({UriId{0}});
        return inbox_.take<AutostartListed>([](const auto& each) { return each.answers; })
            .value()
            .flagged;
    };
    EXPECT_THAT(asked(), IsEmpty());  // and nothing is being read any more
    hypervisor_->expect_end();
    ASSERT_EQ(flag(web, true), 0);
    EXPECT_THAT(asked(), ElementsAre(web));
    ASSERT_EQ(flag(db, true), 0);
    EXPECT_THAT(flagged(), ::testing::UnorderedElementsAre(web, db));
}

TEST_F(AutostartQemu, FlagsAreToldOfAfterAnOutageToo) {
    const auto web = define("web", 16);
    connect();
    hypervisor_->list_autostart({UriId{0}});
    EXPECT_THAT(flagged(), IsEmpty());
    daemon_.freeze();
    hypervisor_->list_autostart({UriId{0}});  // hangs until the connection is gone
    daemon_.kill();
    ASSERT_TRUE(inbox_.take<UriLost>());
    daemon_.start();
    ASSERT_TRUE(inbox_.take<InventoryListed>());
    ASSERT_EQ(flag(web, true), 0);
    EXPECT_THAT(flagged(), ElementsAre(web));
}

/// libvirt 11.2 keeps those in the same folder.
TEST(AutostartLinks, MarksOfOurOwnAreNoReasonToLook) {
    using libvirt::AutostartMonitor;
    EXPECT_FALSE(AutostartMonitor::may_be_flag("web.xml.once"));
    EXPECT_TRUE(AutostartMonitor::may_be_flag("web.xml"));
    EXPECT_TRUE(AutostartMonitor::may_be_flag("web.once.xml"));
    EXPECT_TRUE(AutostartMonitor::may_be_flag("")) << "the folder itself";
}

/// Its flags are in libvirtd's memory: no folder tells.
class AutostartTest : public ::testing::Test {
protected:
    PrivateLibvirtd daemon_;
    EventInbox inbox_;
    std::unique_ptr<libvirt::LibvirtHypervisor> hypervisor_;

    void connect(Duration interval) {
        hypervisor_ = std::make_unique<libvirt::LibvirtHypervisor>(
            libvirt::Options{.uris = {daemon_.uri()}, .autostart_interval = interval},
            inbox_.sink());
        hypervisor_->start();
        ASSERT_TRUE(inbox_.take<InventoryListed>());
    }
};

TEST_F(AutostartTest, WhereNoFolderTellsSomebodyLooksNowAndThen) {
    const auto web = daemon_.define("web");
    connect(20ms);
    ASSERT_EQ(virDomainSetAutostart(daemon_.domain(web).get(), 1), 0);
    EXPECT_THAT(inbox_.take<AutostartListed>().value().flagged, ElementsAre(web));
    ASSERT_EQ(virDomainSetAutostart(daemon_.domain(web).get(), 0), 0);
    EXPECT_THAT(inbox_.take<AutostartListed>().value().flagged, IsEmpty());
}

TEST_F(AutostartTest, WhoAsksIsAnsweredWithWhatHoldsThen) {
    const auto web = daemon_.define("web");
    connect(24h);
    // Also when nothing has changed since.
    for (const bool flag : {true, true, false, false}) {
        ASSERT_EQ(virDomainSetAutostart(daemon_.domain(web).get(), flag), 0);
        hypervisor_->list_autostart({UriId{0}});
        const auto told =
            inbox_.take<AutostartListed>([](const auto& each) { return each.answers; });
        EXPECT_EQ(told.value().flagged, flag ? std::vector{web} : std::vector<Uuid>{});
    }
}

}  // namespace
}  // namespace guestd::test
