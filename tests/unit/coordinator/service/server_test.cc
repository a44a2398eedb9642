// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/service/server: where it may listen, and a whole run over gRPC with the client of the worker's
// side.
#include "coordinator/service/server.h"

#include <gmock/gmock.h>

#include <thread>

#include "common/base/status.h"
#include "tests/unit/coordinator/experiment/simulation.h"
#include "worker/session/coordinator_client.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ServerTest : public ExperimentTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(run_.Start().ok());
    service_.emplace(run_.experiment(), Task(), milliseconds(10'000));
  }
  void TearDown() override {
    server_.reset();
    service_.reset();
  }

  absl::Status Start(const std::string& address, bool insecure = false) {
    auto server = Server::Start({.address = address, .insecure = insecure}, *service_);
    RETURN_IF_ERROR(server.status());
    server_ = std::move(*server);
    return absl::OkStatus();
  }
  std::unique_ptr<CoordinatorClient> Client() { return *MakeCoordinatorClient(server_->address()); }

  std::vector<ModelIdentity> Models() const {
    std::vector<ModelIdentity> models;
    for (const auto& [name, digest] : run_.setup.model_digests) models.push_back({name, digest});
    return models;
  }

  // A worker over the network until it is told that all is done.
  void Work(const std::string& name) {
    const auto client = Client();
    const auto registration = client->Register(name, "cpu");
    ASSERT_TRUE(registration.ok()) << registration.status();
    while (true) {
      const auto answer = client->Lease(registration->session, Models(), milliseconds(30'000));
      ASSERT_TRUE(answer.ok()) << answer.status();
      if (std::holds_alternative<Finished>(*answer)) return;
      if (!std::holds_alternative<ShardWork>(*answer)) continue;
      const auto accepted =
          client->Report({registration->session, registration->run}, Evaluate(std::get<ShardWork>(*answer)));
      ASSERT_TRUE(accepted.ok()) << accepted.status();
    }
  }

  SimulatedRun run_{folder_, "run.db"};
  std::optional<ExperimentService> service_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, PortZeroTakesAFreePort) {
  ASSERT_TRUE(Start("127.0.0.1:0").ok());
  EXPECT_THAT(server_->address(), StartsWith("127.0.0.1:"));
  EXPECT_NE(server_->address(), "127.0.0.1:0");
  EXPECT_TRUE(Client()->Register("a", "cpu").ok());
}

TEST_F(ServerTest, LoopbackAddressesNeedNoFlag) {
  for (const char* address : {"localhost:0", "127.0.0.1:0", "127.8.9.1:0"}) {
    EXPECT_TRUE(Start(address).ok()) << address;
  }
}

TEST_F(ServerTest, NothingElseIsListenedOnWithoutTheFlag) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "10.0.0.1:0", "127.example.com:0", "unixbox:0", "0:0", "*:0"}) {
    const absl::Status status = Start(address);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(status.message()), HasSubstr("--insecure")) << address;
  }
}

TEST_F(ServerTest, AnExplicitFlagPermitsOtherAddresses) {
  EXPECT_TRUE(Start("0.0.0.0:0", /*insecure=*/true).ok());
}

TEST_F(ServerTest, AddressesThatAreNoneAreNamedWithTheForm) {
  for (const char* address : {"", "50551", "localhost", "127.0.0.1:", ":50551", "127.0.0.1:http", "127.0.0.1:65536",
                              "127.0.0.1:-1", "127.0.0.1:1x", "unix:/tmp/socket:1", "dns:///127.0.0.1:80", "::1:80"}) {
    const absl::Status status = Start(address, /*insecure=*/true);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_THAT(std::string(status.message()), HasSubstr("write HOST:PORT")) << address;
  }
}

TEST_F(ServerTest, AnAddressIsCheckedBeforeAnythingIsStarted) {
  EXPECT_TRUE(CheckListen({.address = "127.0.0.1:50551"}).ok());
  EXPECT_THAT(std::string(CheckListen({.address = "0.0.0.0:50551"}).message()), HasSubstr("--insecure"));
  EXPECT_TRUE(CheckListen({.address = "0.0.0.0:50551", .insecure = true}).ok());
  EXPECT_THAT(std::string(CheckListen({.address = "nonsense"}).message()), HasSubstr("write HOST:PORT"));
}

TEST_F(ServerTest, AReportThatNoCoordinatorTakesIsNotSent) {
  ASSERT_TRUE(Start("127.0.0.1:0").ok());
  const auto client = Client();
  const auto registration = client->Register("a", "cpu");
  const auto answer = client->Lease(registration->session, Models(), milliseconds(0));
  ShardResult result = Evaluate(std::get<ShardWork>(*answer));
  result.samples[0].text.assign(33 << 20, 'x');
  const absl::Status status = client->Report({registration->session, registration->run}, result).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);  // not worth a retry
  EXPECT_THAT(std::string(status.message()), HasSubstr("evaluation.shard_size"));
  result.samples[0].text.assign(31 << 20, 'x');
  EXPECT_EQ(client->Report({registration->session, registration->run}, result).value(), true);
}

TEST_F(ServerTest, APortInUseIsRefused) {
  ASSERT_TRUE(Start("127.0.0.1:0").ok());
  const auto second = Server::Start({.address = server_->address()}, *service_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(server_->address()));
}

TEST_F(ServerTest, AWholeRunOverTheNetworkFindsWhatOneWorkerFinds) {
  SimulatedRun alone(folder_, "alone.db");
  ASSERT_TRUE(alone.Start().ok());
  ASSERT_TRUE(alone.RunToEnd().ok());
  ASSERT_TRUE(Start("127.0.0.1:0").ok());
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) workers.emplace_back([this, i] { Work("worker " + std::to_string(i)); });
  for (std::thread& worker : workers) worker.join();
  EXPECT_TRUE(service_->finished());
  server_.reset();
  service_.reset();
  EXPECT_EQ(run_.Contents(), alone.Contents());
}

TEST_F(ServerTest, ErrorsReachTheWorkerWithTheirCodeAndText) {
  ASSERT_TRUE(Start("127.0.0.1:0").ok());
  const auto client = Client();
  EXPECT_EQ(client->Lease("unknown", Models(), milliseconds(0)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(client->Heartbeat({"unknown", ""}, {}).status().code(), absl::StatusCode::kNotFound);
  const std::string session = client->Register("a", "cpu")->session;
  const absl::Status status = client->Lease(session, {}, milliseconds(0)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has no model"));
}

TEST_F(ServerTest, FailuresAndHeartbeatsGoOverTheNetworkToo) {
  ASSERT_TRUE(Start("127.0.0.1:0").ok());
  const auto client = Client();
  const auto registration = client->Register("a", "cpu");
  const LeaseHolder holder{registration->session, registration->run};
  const auto answer = client->Lease(holder.session, Models(), milliseconds(0));
  ASSERT_TRUE(answer.ok()) << answer.status();
  const ShardWork work = std::get<ShardWork>(*answer);
  EXPECT_TRUE(client->Heartbeat(holder, {work.key})->empty());
  const ShardFailure failure{work.key, FailureClass::kCrash, "out of memory"};
  EXPECT_EQ(client->Report(holder, failure).value(), true);
  EXPECT_EQ(client->Report(holder, failure).value(), false);
  EXPECT_EQ(client->Heartbeat(holder, {work.key})->size(), 0u);  // open again: it may go on with it
  EXPECT_EQ(run_.Query("SELECT class || ': ' || message FROM failures"),
            std::vector<std::string>{"crash: out of memory"});
}

TEST_F(ServerTest, StoppingEndsTheCallsThatWait) {
  ASSERT_TRUE(Start("127.0.0.1:0").ok());
  const auto client = Client();
  for (int i = 0; service_->progress().shards_leased < service_->progress().shards_open; ++i) {
    const std::string holder = client->Register("holder " + std::to_string(i), "cpu")->session;
    ASSERT_TRUE(client->Lease(holder, Models(), milliseconds(0)).ok());
  }
  const std::string waiting = client->Register("waiting", "cpu")->session;
  std::thread poll([&] { (void)client->Lease(waiting, Models(), milliseconds(30'000)); });
  server_->Stop(milliseconds(20'000));
  poll.join();  // long before its 30 seconds are over, or the test runs into its limit
  EXPECT_EQ(client->Register("late", "cpu").status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace heterosis
