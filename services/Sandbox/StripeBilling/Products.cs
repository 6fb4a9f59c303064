using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary><c>/v1/products</c>.</summary>
static class Products
{
    const string Common = " name active:bool description metadata:map images:[text] tax_code unit_label url statement_descriptor "
        + "marketing_features:[{name!}] default_price";

    static readonly JsonObject Shape = Fields.Shape("""
        {"id": "", "object": "product", "active": true, "created": 0, "default_price": null, "description": null, "images": [],
         "livemode": false, "marketing_features": [], "metadata": {}, "name": "", "package_dimensions": null, "shippable": null,
         "statement_descriptor": null, "tax_code": null, "tax_details": null, "type": "service", "unit_label": null, "updated": 0,
         "url": null}
        """);

    public static void Map(Routes routes)
    {
        routes.Post("/v1/products", "id" + Common, Create);
        routes.Post("/v1/products/*", Common, Update);
        routes.Get("/v1/products/*", "", call => call.Subject("product"));
        routes.Get("/v1/products", "created:range active:bool ids:[text]" + Params.Paging, call =>
        {
            var ids = call.Given.Items("ids").Select(id => id.GetValue<string>()).ToList();
            return call.Page(call.Account.Newest("product").Where(product =>
                (ids.Count == 0 || ids.Contains(product.Id()))
                && (!call.Given.ContainsKey("active") || product.Is("active") == call.Given.Is("active"))));
        });
        routes.Delete("/v1/products/*", "", Delete);
    }

    public static JsonObject Make(Call call, JsonObject given)
    {
        if (given.Text("name") is null)
        {
            throw Refusal.Invalid("Missing required param: name.", "name", "parameter_missing");
        }
        if (given.Text("id") is { } id && call.Account.Find("product", id) is not null)
        {
            throw Refusal.Invalid("Product already exists.", "id", "resource_already_exists");
        }
        var metadata = Metadata.Merged(null, given);
        var product = call.Account.New(Shape, "prod");
        product.Take(given, "id", "name", "active", "description", "images", "tax_code", "unit_label", "url", "statement_descriptor");
        product.Take(given, "marketing_features");
        (product["updated"], product["metadata"]) = (call.Now, metadata);
        call.Account.Add(product);
        call.Account.Emit("product.created", product);
        return product;
    }

    static JsonObject Create(Call call) => Make(call, call.Given);

    static JsonObject Update(Call call)
    {
        var product = call.Subject("product");
        call.Named("price", "default_price");
        var metadata = Metadata.Merged(product.Object("metadata"), call.Given);
        call.Account.Change(product, "product.updated", () =>
        {
            product.Take(
                call.Given, "name", "active", "description", "images", "tax_code", "unit_label", "url", "default_price",
                "statement_descriptor", "marketing_features");
            (product["updated"], product["metadata"]) = (call.Now, metadata);
        });
        return product;
    }

    static JsonObject Delete(Call call)
    {
        var product = call.Subject("product");
        if (call.Account.Newest("price").Any(price => price.Text("product") == product.Id()))
        {
            throw Refusal.Invalid("This product cannot be deleted because it has one or more user-created prices.");
        }
        call.Account.Remove(product, leaves: false);
        call.Account.Emit("product.deleted", product);
        return new() { ["id"] = product.Id(), ["object"] = "product", ["deleted"] = true };
    }
}
