# The generated protobuf and gRPC code for the part of etcd's API that Lifeboat speaks, as one small library:
# its headers are slow to compile, so only src/source/etcd/*.cc see them.
find_package(Protobuf REQUIRED)
pkg_check_modules(grpcpp REQUIRED IMPORTED_TARGET grpc++)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

if(NOT EXISTS ${CMAKE_SOURCE_DIR}/src/source/etcd/etcd_api.proto)
  add_library(etcd_proto INTERFACE)
  return()
endif()

set(proto_dir ${CMAKE_SOURCE_DIR}/src/source/etcd)
set(proto_out ${CMAKE_BINARY_DIR}/proto)
file(MAKE_DIRECTORY ${proto_out})
set(proto_files ${proto_out}/etcd_api.pb.cc ${proto_out}/etcd_api.grpc.pb.cc)
add_custom_command(
  OUTPUT ${proto_files} ${proto_out}/etcd_api.pb.h ${proto_out}/etcd_api.grpc.pb.h
  COMMAND protobuf::protoc --proto_path=${proto_dir} --cpp_out=${proto_out} --grpc_out=${proto_out}
          --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${proto_dir}/etcd_api.proto
  DEPENDS ${proto_dir}/etcd_api.proto)
add_library(etcd_proto STATIC ${proto_files})
target_include_directories(etcd_proto SYSTEM PUBLIC ${proto_out})
target_link_libraries(etcd_proto PUBLIC PkgConfig::grpcpp protobuf::libprotobuf)
