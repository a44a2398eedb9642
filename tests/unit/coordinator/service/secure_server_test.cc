// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/service/server: TLS, tokens and roles over real connections, with certificates of deploy/tls.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/client_unary_call.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>

#include "common/base/file.h"
#include "common/base/secret.h"
#include "coordinator/service/admin_client.h"
#include "coordinator/service/reflection.h"
#include "coordinator/service/server.h"
#include "heterosis/v1/admin_service.grpc.pb.h"
#include "heterosis/v1/worker_service.grpc.pb.h"
#include "tests/unit/coordinator/experiment/simulation.h"
#include "worker/session/coordinator_client.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class SecureServerTest : public ExperimentTest {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new TemporaryFolder;
    const std::string command = "deploy/tls --out " + (*scratch_ / "tls") +
                                " localhost >/dev/null && deploy/tls --out " + (*scratch_ / "strangers") +
                                " localhost >/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  static void TearDownTestSuite() { delete scratch_; }
  void SetUp() override {
    ASSERT_TRUE(run_.Start().ok());
    service_.emplace(run_.experiment(), Task(), milliseconds(10'000));
  }
  void TearDown() override {
    server_.reset();
    service_.reset();
  }

  static std::string Made(const std::string& name) { return (*scratch_ / "tls") + "/" + name; }
  static std::string Strangers(const std::string& name) { return (*scratch_ / "strangers") + "/" + name; }

  ServerOptions Tls(const std::string& address = "127.0.0.1:0") {
    return {.address = address, .tls_cert = Made("coordinator.pem"), .tls_key = Made("coordinator.key")};
  }
  ServerOptions Full() {
    ServerOptions options = Tls();
    options.tls_client_ca = Made("ca.pem");
    options.token_file = Made("tokens");
    options.on_stop = [this] { ++stops_; };
    return options;
  }
  static ClientSecurity As(const std::string& role) {
    return {.tls_ca = Made("ca.pem"),
            .tls_cert = Made("worker.pem"),
            .tls_key = Made("worker.key"),
            .token_file = role.empty() ? "" : Made(role + ".token")};
  }

  void Start(const ServerOptions& options) {
    auto server = Server::Start(options, *service_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
  }
  absl::Status Register(const ClientSecurity& security, const std::string& address = "") {
    auto client = MakeCoordinatorClient(address.empty() ? server_->address() : address, security);
    if (!client.ok()) return client.status();
    return (*client)->Register("somebody", "cpu").status();
  }

  static inline TemporaryFolder* scratch_ = nullptr;
  SimulatedRun run_{folder_, "run.db"};
  std::optional<ExperimentService> service_;
  std::unique_ptr<Server> server_;
  std::atomic<int> stops_ = 0;
};

std::string Refusal(const ServerOptions& options) {
  return std::string(CheckListen(options).message());
}

TEST_F(SecureServerTest, BeyondLoopbackWhatIsMissingIsSaid) {
  const std::string everywhere = "0.0.0.0:0";
  EXPECT_THAT(Refusal({.address = everywhere}), AllOf(HasSubstr("--tls-cert"), HasSubstr("--token-file")));
  EXPECT_THAT(Refusal(Tls(everywhere)), AllOf(Not(HasSubstr("--tls-cert")), HasSubstr("--token-file")));
  EXPECT_THAT(Refusal({.address = everywhere, .token_file = Made("tokens")}),
              AllOf(HasSubstr("--tls-cert"), Not(HasSubstr("--token-file"))));
  ServerOptions both = Full();
  both.address = everywhere;
  EXPECT_TRUE(CheckListen(both).ok());
  both.tls_client_ca.clear();
  EXPECT_TRUE(CheckListen(both).ok());
}

TEST_F(SecureServerTest, OptionsThatBelongTogetherAreAskedFor) {
  EXPECT_THAT(Refusal({.tls_cert = Made("coordinator.pem")}), HasSubstr("--tls-key"));
  EXPECT_THAT(Refusal({.tls_key = Made("coordinator.key")}), HasSubstr("--tls-cert"));
  EXPECT_THAT(Refusal({.tls_client_ca = Made("ca.pem")}), HasSubstr("--tls-cert"));
}

TEST_F(SecureServerTest, ATokenFileThatOthersMayReadIsRefused) {
  const std::string path = folder_ / "tokens";
  ASSERT_TRUE(WriteFileAtomic(path, *ReadFile(Made("tokens"))).ok());
  chmod(path.c_str(), 0640);
  EXPECT_THAT(Refusal({.token_file = path}), HasSubstr("chmod 600"));
  chmod(path.c_str(), 0600);
  EXPECT_EQ(Refusal({.token_file = path}), "");
}

TEST_F(SecureServerTest, TokensMayComeFromTheEnvironment) {
  const std::string token = RandomToken();
  Start({.tokens = "worker " + token + ",reader " + RandomToken()});
  EXPECT_EQ(Register({}).code(), absl::StatusCode::kUnauthenticated);
  setenv("HETEROSIS_TOKEN", token.c_str(), 1);
  EXPECT_TRUE(Register({}).ok());
  unsetenv("HETEROSIS_TOKEN");
  EXPECT_EQ(Refusal({.tokens = "worker"}), "HETEROSIS_TOKENS:1: write `ROLE TOKEN`, such as `worker` and 64 digits");
}

TEST_F(SecureServerTest, AWorkerWithCertificateAndTokenIsServed) {
  Start(Full());
  EXPECT_TRUE(Register(As("worker")).ok());
  EXPECT_TRUE(Register(As("worker"), "localhost:" + server_->address().substr(server_->address().find(':') + 1)).ok());
}

TEST_F(SecureServerTest, WhoLacksACertificateOrHasAStrangersIsNotHeard) {
  Start(Full());
  ClientSecurity security = As("worker");
  security.tls_cert = security.tls_key = "";
  EXPECT_EQ(Register(security).code(), absl::StatusCode::kUnavailable);
  security.tls_cert = Strangers("worker.pem");
  security.tls_key = Strangers("worker.key");
  EXPECT_EQ(Register(security).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Register({}).code(), absl::StatusCode::kUnavailable);  // plain text
  EXPECT_EQ(run_.Query("SELECT count(*) FROM workers"), std::vector<std::string>{"0"});
}

TEST_F(SecureServerTest, AWorkerDoesNotTalkToACoordinatorOfStrangers) {
  ServerOptions options;
  options.tls_cert = Strangers("coordinator.pem");
  options.tls_key = Strangers("coordinator.key");
  options.address = "127.0.0.1:0";
  Start(options);
  EXPECT_EQ(Register(As("worker")).code(), absl::StatusCode::kUnavailable);
}

TEST_F(SecureServerTest, ATokenOfAnotherRoleOrNoneGetsNoWork) {
  Start(Full());
  EXPECT_EQ(Register(As("")).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Register(As("reader")).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Register(As("admin")).code(), absl::StatusCode::kPermissionDenied);
  ClientSecurity security = As("worker");
  security.token_file = Strangers("worker.token");
  EXPECT_EQ(Register(security).code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(SecureServerTest, EveryCallOfAWorkerAsksForItsRole) {
  Start(Full());
  const std::string session = (*MakeCoordinatorClient(server_->address(), As("worker")))->Register("w", "cpu")->session;
  const auto reader = *MakeCoordinatorClient(server_->address(), As("reader"));
  const LeaseHolder holder{session, ""};
  const auto denied = absl::StatusCode::kPermissionDenied;
  EXPECT_EQ(reader->Register("r", "cpu").status().code(), denied);
  EXPECT_EQ(reader->Lease(session, {}, milliseconds(0)).status().code(), denied);
  EXPECT_EQ(reader->Heartbeat(holder, {}).status().code(), denied);
  EXPECT_EQ(reader->Report(holder, ShardFailure{}).status().code(), denied);
  EXPECT_EQ(reader->Report(holder, ShardResult{}).status().code(), denied);
}

TEST_F(SecureServerTest, ReadersSeeProgressAndOnlyAdminsStopTheRun) {
  Start(Full());
  for (const char* role : {"reader", "admin"}) {
    const auto progress = AskProgress({server_->address(), As(role)}, /*json=*/true);
    ASSERT_TRUE(progress.ok()) << progress.status();
    EXPECT_THAT(*progress, HasSubstr("\"state\":\"running\""));
  }
  EXPECT_THAT(*AskProgress({server_->address(), As("reader")}, /*json=*/false), StartsWith("state    running"));
  EXPECT_EQ(AskProgress({server_->address(), As("worker")}, true).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(AskProgress({server_->address(), As("")}, true).status().code(), absl::StatusCode::kUnauthenticated);
  for (const char* role : {"reader", "worker", ""}) EXPECT_FALSE(AskToStop({server_->address(), As(role)}).ok());
  EXPECT_EQ(stops_, 0);
  EXPECT_TRUE(AskToStop({server_->address(), As("admin")}).ok());
  EXPECT_EQ(stops_, 1);
}

TEST_F(SecureServerTest, WithoutTokensAnyoneOnThisMachineWorksAndNobodyIsAnAdmin) {
  Start({.address = "127.0.0.1:0", .on_stop = [this] { ++stops_; }});
  EXPECT_TRUE(Register({}).ok());
  EXPECT_TRUE(AskProgress({server_->address(), {}}, true).ok());
  EXPECT_EQ(AskToStop({server_->address(), {}}).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(stops_, 0);
}

TEST_F(SecureServerTest, LocalWorkersHaveAWayOfTheirOwnBesideTls) {
  ServerOptions options = Tls();  // no tokens: the local way must not be open all the same
  options.local_workers = true;
  Start(options);
  EXPECT_NE(server_->local_address(), server_->address());
  EXPECT_THAT(server_->local_address(), StartsWith("127.0.0.1:"));
  EXPECT_EQ(Register({}, server_->local_address()).code(), absl::StatusCode::kUnauthenticated);
  setenv("HETEROSIS_TOKEN", server_->local_token().c_str(), 1);
  EXPECT_TRUE(Register({}, server_->local_address()).ok());
  unsetenv("HETEROSIS_TOKEN");
  EXPECT_TRUE(Register({.tls_ca = Made("ca.pem")}).ok());
}

TEST_F(SecureServerTest, LocalWorkersShowATokenWhereTokensAreAskedFor) {
  Start({.address = "127.0.0.1:0", .token_file = Made("tokens"), .local_workers = true});
  EXPECT_EQ(server_->local_address(), server_->address());
  EXPECT_TRUE(CheckToken(server_->local_token()).ok());
  EXPECT_EQ(Register({}).code(), absl::StatusCode::kUnauthenticated);
  server_.reset();
  Start({.address = "127.0.0.1:0", .local_workers = true});
  EXPECT_EQ(server_->local_token(), "");
  EXPECT_TRUE(Register({}).ok());
}

TEST_F(SecureServerTest, AWorkerDialsNobodyElsesMachineWithoutTls) {
  const absl::Status status = MakeCoordinatorClient("box.lan:50551").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("--tls-ca"), HasSubstr("--insecure")));
  EXPECT_TRUE(MakeCoordinatorClient("box.lan:50551", {.insecure = true}).ok());
  EXPECT_TRUE(MakeCoordinatorClient("box.lan:50551", {.tls_ca = Made("ca.pem")}).ok());
  EXPECT_FALSE(MakeCoordinatorClient("nonsense").ok());
  EXPECT_FALSE(MakeCoordinatorClient("127.0.0.1:1", {.tls_cert = Made("worker.pem")}).ok());
  EXPECT_FALSE(
      MakeCoordinatorClient("127.0.0.1:1", {.tls_cert = Made("worker.pem"), .tls_key = Made("worker.key")}).ok());
}

TEST_F(SecureServerTest, AFiveMegabyteRequestIsRefusedUnlessItIsAReport) {
  Start({.address = "127.0.0.1:0"});
  const auto stub =
      v1::WorkerService::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  v1::RegisterRequest request;
  request.set_worker(std::string(5 << 20, 'x'));
  v1::RegisterResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(stub->Register(&context, request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(run_.Query("SELECT count(*) FROM workers"), std::vector<std::string>{"0"});
}

TEST_F(SecureServerTest, TwoAuthorizationHeadersAreNoToken) {
  const std::string token = RandomToken();
  Start({.address = "127.0.0.1:0", .tokens = "reader " + token});
  const auto stub =
      v1::AdminService::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  v1::GetProgressResponse response;
  grpc::ClientContext once, twice;
  once.AddMetadata("authorization", "Bearer " + token);
  twice.AddMetadata("authorization", "Bearer " + token);
  twice.AddMetadata("authorization", "Bearer " + token);
  EXPECT_TRUE(stub->GetProgress(&once, {}, &response).ok());
  EXPECT_EQ(stub->GetProgress(&twice, {}, &response).error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

// What one request brings, or the status that ended the stream instead.
std::string Reflect(const std::string& address, const std::string& token, const ReflectionHandlers::Request& request) {
  const auto stub = grpc::reflection::v1alpha::ServerReflection::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  const auto stream = stub->ServerReflectionInfo(&context);
  stream->Write(request);
  stream->WritesDone();
  ReflectionHandlers::Response response;
  if (!stream->Read(&response)) return std::to_string(stream->Finish().error_code());
  return response.ShortDebugString();
}

TEST_F(SecureServerTest, ReflectionIsForAdmins) {
  const std::string admin = RandomToken(), reader = RandomToken();
  Start({.address = "127.0.0.1:0", .tokens = "reader " + reader + ",admin " + admin});
  ReflectionHandlers::Request list;
  list.set_list_services("");
  EXPECT_EQ(Reflect(server_->address(), "", list), std::to_string(grpc::StatusCode::UNAUTHENTICATED));
  EXPECT_EQ(Reflect(server_->address(), reader, list), std::to_string(grpc::StatusCode::PERMISSION_DENIED));
  EXPECT_THAT(Reflect(server_->address(), admin, list), HasSubstr("heterosis.v1.AdminService"));
}

TEST(ReflectionTest, ASymbolBringsItsFileWithAllImports) {
  ReflectionHandlers::Request request;
  request.set_file_containing_symbol("heterosis.v1.WorkerService");
  const auto response = Describe(request).file_descriptor_response();
  EXPECT_EQ(response.file_descriptor_proto_size(), 3);  // worker_service, trial, recipe
  request.set_file_by_filename("heterosis/v1/admin_service.proto");
  EXPECT_EQ(Describe(request).file_descriptor_response().file_descriptor_proto_size(), 1);
  request.set_file_by_filename("../etc/passwd");
  EXPECT_EQ(Describe(request).error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  request.Clear();
  EXPECT_EQ(Describe(request).error_response().error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

// grpc.health.v1.Health/Check with an empty request, whose answer is field 1 = 1 (SERVING).
TEST_F(SecureServerTest, TheHealthServiceAnswersWithoutAToken) {
  Start({.address = "127.0.0.1:0", .token_file = Made("tokens")});
  const auto channel = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  const grpc::internal::RpcMethod method("/grpc.health.v1.Health/Check", grpc::internal::RpcMethod::NORMAL_RPC,
                                         channel);
  grpc::ClientContext context;
  grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  const grpc::Status status = grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(
      channel.get(), method, &context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  grpc::Slice bytes;
  ASSERT_TRUE(response.DumpToSingleSlice(&bytes).ok());
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "\x08\x01");
}

}  // namespace
}  // namespace heterosis
