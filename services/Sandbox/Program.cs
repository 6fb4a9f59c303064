LlmGateway.Sandbox.Server.Build(args).Run();
