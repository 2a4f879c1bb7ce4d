// Echoes messages by gRPC's C++ server, with one completion queue on one thread: what its own
// benchmarks use where one core is to do the most.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

class Call {
 public:
  Call(grpc::AsyncGenericService* service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue), stream_(&context_) {
    service_->RequestCall(&context_, &stream_, queue_, queue_, this);
  }

  void Proceed(bool ok) {
    switch (state_) {
      case State::kCreated:
        if (!ok) return Finish();
        new Call(service_, queue_);
        state_ = State::kReading;
        stream_.Read(&message_, this);
        return;
      case State::kReading:
        state_ = State::kWriting;
        stream_.WriteAndFinish(message_, grpc::WriteOptions(), grpc::Status::OK, this);
        return;
      case State::kWriting:
        return Finish();
    }
  }

 private:
  enum class State { kCreated, kReading, kWriting };

  void Finish() { delete this; }

  grpc::AsyncGenericService* service_;
  grpc::ServerCompletionQueue* queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  grpc::ByteBuffer message_;
  State state_ = State::kCreated;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string port = argc > 1 ? argv[1] : "50052";
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + port, grpc::InsecureServerCredentials());
  builder.RegisterAsyncGenericService(&service);
  builder.SetMaxReceiveMessageSize(64 << 20);
  auto queue = builder.AddCompletionQueue();
  auto server = builder.BuildAndStart();
  if (!server) return 1;
  std::printf("listening on 127.0.0.1:%s\n", port.c_str());
  std::fflush(stdout);
  for (int i = 0; i < 128; ++i) new Call(&service, queue.get());
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<Call*>(tag)->Proceed(ok);
  return 0;
}
